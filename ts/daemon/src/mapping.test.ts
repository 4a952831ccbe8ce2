import type { MetadataEni, PoolView } from "@terway/model";
import { describe, expect, test } from "vitest";
import { compareMapping } from "./mapping.ts";
import { sampleLease } from "./testing/samples.ts";

const { ipv6: _, ...lease } = sampleLease();
const view: PoolView = {
  exclusive: false,
  enis: [
    {
      id: "eni-1",
      mac: "00:16:3e:00:00:01",
      type: "Secondary",
      status: "InUse",
      vSwitchId: "vsw-1",
      ours: true,
      addresses: [
        { address: "10.0.1.23", family: "ipv4", eniId: "eni-1", state: "used", leaseId: lease.id, pod: "default/client" },
        { address: "10.0.1.24", family: "ipv4", eniId: "eni-1", state: "free" },
        { address: "10.0.1.25", family: "ipv4", eniId: "eni-1", state: "assigning" },
      ],
    },
  ],
  leases: [lease],
  total: 2,
  used: 1,
  free: 1,
  cooling: 0,
  waiting: 0,
  capacity: 10,
  problems: [],
};
const cloudEni: MetadataEni = {
  eniId: "eni-1",
  mac: "00:16:3e:00:00:01",
  vSwitchId: "vsw-1",
  primaryIpv4: "10.0.1.23",
  ipv4: ["10.0.1.23", "10.0.1.24"],
  ipv6: [],
  gatewayIpv4: "10.0.1.253",
  vSwitchCidr: "10.0.1.0/24",
};
const primary: MetadataEni = { ...cloudEni, eniId: "eni-0", mac: "00:16:3e:00:00:00" };
const agreed = new Map([[lease.id, { drifts: [] }]]);

describe("cloud, journal and kernel side by side", () => {
  test("agree: nothing is reported, what is on its way is no mismatch", () => {
    const mapping = compareMapping(view, agreed, [primary, cloudEni], primary.mac);
    expect(mapping.mismatches).toEqual([]);
    expect(mapping.enis[0]?.addresses.map((one) => [one.cloud, one.kernel])).toEqual([
      ["present", "ok"],
      ["present", "none"],
      ["missing", "none"],
    ]);
  });

  test("an address that the cloud lost, an ENI that it lost, an ENI that nobody knows", () => {
    expect(compareMapping(view, agreed, [{ ...cloudEni, ipv4: ["10.0.1.24"] }], undefined).mismatches).toEqual([
      { object: "10.0.1.23", problem: expect.stringContaining("does not show it") },
    ]);
    expect(compareMapping(view, agreed, [{ ...cloudEni, eniId: "eni-2" }], undefined).mismatches.map((one) => one.object)).toEqual([
      "eni-1",
      "eni-2",
    ]);
  });

  test("drift of the kernel names the object", () => {
    const drifted = new Map([[lease.id, { drifts: ["host route 10.0.1.23/32 dev calic95a4947e07: missing"] }]]);
    const mapping = compareMapping(view, drifted, [cloudEni], undefined);
    expect(mapping.mismatches).toEqual([{ object: "10.0.1.23", problem: "host route 10.0.1.23/32 dev calic95a4947e07: missing" }]);
    expect(mapping.enis[0]?.addresses[0]?.kernel).toBe("drift");
  });

  test("a cloud that does not answer is unknown, not empty", () => {
    const mapping = compareMapping(view, agreed, { unknown: "no answer" }, undefined);
    expect(mapping).toMatchObject({ mismatches: [], cloudUnknown: "no answer" });
    expect(mapping.enis[0]?.addresses[0]?.cloud).toBe("unknown");
  });
});
