import type { Lease } from "@terway/model";
import { describe, expect, test } from "vitest";
import { type AddressPod, demandOf, isTornDown } from "./demand.ts";

const lease = (name: string, address: string, podUid: string | undefined = `u-${name}`): Lease => ({
  ...{ id: `${podUid}/eth0`, generation: 1, state: "intent", eniId: "eni-1", eniMac: "", allocatedAtMs: 0 },
  sandbox: { containerId: "", ifName: "eth0", netns: "", podNamespace: "d", podName: name, ...(podUid ? { podUid } : {}) },
  ipv4: { address, prefixLength: 24, gateway: "10.0.0.253" },
});
const pod = (name: string, ipv4?: string): AddressPod => ({
  namespace: "d",
  name,
  uid: `u-${name}`,
  ...(ipv4 === undefined ? {} : { ipv4 }),
});
const said = (state: string, lastUpdateTime = "2026-01-01T00:00:00Z") => ({ podID: "", status: { [state]: { lastUpdateTime } } });
const names = ({ wanting, ending }: ReturnType<typeof demandOf>) => ({
  wanting: wanting.map(({ name }) => name),
  ending: ending.map(({ id }) => id),
});

describe("demand of a node", () => {
  test.each([
    ["a pod without a lease wants one", [pod("a")], [], {}, { wanting: ["a"], ending: [] }],
    ["a pod with its lease wants nothing", [pod("a", "10.0.0.1")], [lease("a", "10.0.0.1")], {}, { wanting: [], ending: [] }],
    [
      "a lease of a pod that is gone waits for the node's word",
      [],
      [lease("a", "10.0.0.1")],
      { "u-a": said("initial") },
      { wanting: [], ending: [] },
    ],
    ["no word is no word", [], [lease("a", "10.0.0.1")], {}, { wanting: [], ending: [] }],
    ["the node's word ends it", [], [lease("a", "10.0.0.1")], { "u-a": said("deleted") }, { wanting: [], ending: ["u-a/eth0"] }],
    ["not while the pod lives", [pod("a")], [lease("a", "10.0.0.1")], { "u-a": said("deleted") }, { wanting: [], ending: [] }],
    [
      "a pod of the same name is another one",
      [{ ...pod("a"), uid: "u-2" }],
      [lease("a", "10.0.0.1")],
      { "u-a": said("initial") },
      { wanting: ["a"], ending: [] },
    ],
    [
      "a pod that runs with another address has that one",
      [pod("a", "10.0.0.9")],
      [lease("a", "10.0.0.1")],
      {},
      { wanting: ["a"], ending: ["u-a/eth0"] },
    ],
    [
      "of two that claim an address, the one that runs with it has it",
      [pod("a"), pod("b", "10.0.0.1")],
      [lease("a", "10.0.0.1")],
      {},
      { wanting: ["a", "b"], ending: ["u-a/eth0"] },
    ],
  ])("%s", (_, pods, leases, runtime, expected) => {
    expect(names(demandOf(pods, leases, runtime))).toEqual(expected);
  });

  test.each([
    ["as soon as the node says that no sandbox holds it", pod("a"), { "u-a": said("deleted") }, { wanting: ["a"], ending: ["u-a/eth0"] }],
    ["not before: it may be on its way into the kernel", pod("a"), {}, { wanting: [], ending: [] }],
    ["not while it is set up", pod("a"), { "u-a": said("initial") }, { wanting: [], ending: [] }],
    ["never when it runs with it", pod("a", "10.0.0.1"), { "u-a": said("deleted") }, { wanting: [], ending: [] }],
  ])("a pod whose address the cloud has taken away gets another one %s", (_, one, runtime, expected) => {
    const leases = [lease("a", "10.0.0.1")];
    expect(names(demandOf([one], leases, runtime, () => true))).toEqual(expected);
    expect(names(demandOf([one], leases, runtime, () => false))).toEqual({ wanting: [], ending: [] });
  });

  test("upstream writes both states, and the newest counts", () => {
    const both = (initial: string, deleted: string) => ({
      podID: "",
      status: { initial: { lastUpdateTime: initial }, deleted: { lastUpdateTime: deleted } },
    });
    expect(isTornDown(both("2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z"))).toBe(true);
    expect(isTornDown(both("2026-01-01T00:00:09Z", "2026-01-01T00:00:05Z"))).toBe(false);
    expect(isTornDown({ podID: "", status: { deleted: { lastUpdateTime: "nonsense" } } })).toBe(false);
  });
});
