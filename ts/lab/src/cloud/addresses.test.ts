import { describe, expect, it } from "vitest";
import { isReserved, knownCidr, parseAddress } from "./ip.ts";
import { ids, openRegion } from "./testing/region.ts";

describe("addresses of a vSwitch", () => {
  it("gives all but the reserved ones, then says that there are none", async () => {
    const { call, createEni, code } = await openRegion();
    const body = await call("CreateNetworkInterface", {
      VSwitchId: ids.tiny,
      SecurityGroupId: ids.group,
      SecondaryPrivateIpAddressCount: "2",
    });
    expect(JSON.stringify(body.PrivateIpSets)).toContain('"10.0.1.1"');
    expect(
      await code("AssignPrivateIpAddresses", { NetworkInterfaceId: String(body.NetworkInterfaceId), SecondaryPrivateIpAddressCount: "2" }),
    ).toBe("InvalidVSwitchId.IpNotEnough");
    await createEni({ VSwitchId: ids.tiny });
    expect(await code("CreateNetworkInterface", { VSwitchId: ids.tiny, SecurityGroupId: ids.group })).toBe("InvalidVSwitchId.IpNotEnough");
  });

  it("gives a freed address again at once", async () => {
    const { attachEni, call, eni } = await openRegion();
    const id = await attachEni({ SecondaryPrivateIpAddressCount: "3" });
    const [, first = ""] = eni(id).ipv4;
    await call("UnassignPrivateIpAddresses", { NetworkInterfaceId: id, "PrivateIpAddress.1": first });
    await call("AssignPrivateIpAddresses", { NetworkInterfaceId: id, SecondaryPrivateIpAddressCount: "1" });
    expect(eni(id).ipv4.at(-1)).toBe(first);
  });

  it("gives the lowest free address, also one that lies below those given since", async () => {
    const { attachEni, createEni, call, eni } = await openRegion();
    const id = await attachEni({ SecondaryPrivateIpAddressCount: "3" });
    const later = await createEni();
    const [, , low = ""] = eni(id).ipv4;
    await call("UnassignPrivateIpAddresses", { NetworkInterfaceId: id, "PrivateIpAddress.1": low });
    await call("AssignPrivateIpAddresses", { NetworkInterfaceId: later, SecondaryPrivateIpAddressCount: "1" });
    expect(eni(later).ipv4.at(-1)).toBe(low);
  });

  it("gives addresses of the whole range in random order, when told so", async () => {
    const { createEni, eni } = await openRegion({ settings: { addressOrder: "random" } });
    const ipv4 = eni(await createEni({ SecondaryPrivateIpAddressCount: "40" })).ipv4;
    expect(new Set(ipv4).size).toBe(41);
    expect([...ipv4].sort()).not.toEqual(ipv4);
    const cidr = knownCidr("10.0.0.0/24");
    expect(ipv4.some((address) => isReserved(cidr, parseAddress(address) ?? 0n))).toBe(false);
  });

  it.each([
    ["10.0.0.0", "InvalidIp.IpAssigned"],
    ["10.0.0.253", "InvalidIp.IpAssigned"],
    ["10.0.0.1", "InvalidIp.IpAssigned"],
    ["10.9.0.1", "InvalidVSwitchId.IpInvalid"],
    ["ten", "InvalidIp.Address"],
    ["10.0.0.77", "ok"],
  ])("a wish for %s gives %s", async (address, expected) => {
    const { code } = await openRegion();
    expect(await code("CreateNetworkInterface", { VSwitchId: ids.vSwitch, SecurityGroupId: ids.group, PrimaryIpAddress: address })).toBe(
      expected,
    );
  });

  it("refuses the whole unassign when one address is not there or is the primary one", async () => {
    const { attachEni, code, eni } = await openRegion();
    const id = await attachEni({ SecondaryPrivateIpAddressCount: "2" });
    const [primary = "", one = "", two = ""] = eni(id).ipv4;
    const unassign = (...list: string[]) =>
      code("UnassignPrivateIpAddresses", {
        NetworkInterfaceId: id,
        ...Object.fromEntries(list.map((address, index) => [`PrivateIpAddress.${index + 1}`, address])),
      });
    expect(await unassign(one, "10.0.0.200")).toBe("InvalidIp.IpUnassigned");
    expect(await unassign(one, primary)).toBe("InvalidIp.IpUnassigned");
    expect(eni(id).ipv4).toEqual([primary, one, two]);
    expect(await unassign(one, two)).toBe("ok");
    expect(await unassign(one)).toBe("InvalidIp.IpUnassigned");
  });
});

describe("prefixes", () => {
  it("are aligned, use one slot each, and are disjoint from single addresses", async () => {
    const { attachEni, call, eni, code } = await openRegion();
    const id = await attachEni();
    await call("AssignPrivateIpAddresses", { NetworkInterfaceId: id, Ipv4PrefixCount: "10" });
    expect(eni(id).ipv4Prefixes).toHaveLength(10);
    expect(eni(id).ipv4Prefixes[0]).toBe("10.0.0.16/28");
    expect(await code("AssignPrivateIpAddresses", { NetworkInterfaceId: id, Ipv4PrefixCount: "5" })).toBe(
      "InvalidOperation.Ipv4CountExceeded",
    );
    await call("AssignIpv6Addresses", { NetworkInterfaceId: id, Ipv6PrefixCount: "2" });
    expect(eni(id).ipv6Prefixes[0]).toMatch(/\/80$/);
    expect(
      await code("CreateNetworkInterface", { VSwitchId: ids.vSwitch, SecurityGroupId: ids.group, PrimaryIpAddress: "10.0.0.20" }),
    ).toBe("InvalidIp.IpAssigned");
    await call("UnassignPrivateIpAddresses", { NetworkInterfaceId: id, "Ipv4Prefix.1": "10.0.0.16/28" });
    expect(
      await code("CreateNetworkInterface", { VSwitchId: ids.vSwitch, SecurityGroupId: ids.group, PrimaryIpAddress: "10.0.0.20" }),
    ).toBe("ok");
  });

  it("run out while single addresses remain", async () => {
    const { attachEni, code } = await openRegion();
    const id = await attachEni({ VSwitchId: ids.tiny });
    expect(await code("AssignPrivateIpAddresses", { NetworkInterfaceId: id, Ipv4PrefixCount: "1" })).toBe(
      "InvalidVSwitchId.IpPrefixNotEnough",
    );
    expect(await code("AssignPrivateIpAddresses", { NetworkInterfaceId: id, SecondaryPrivateIpAddressCount: "1" })).toBe("ok");
  });
});
