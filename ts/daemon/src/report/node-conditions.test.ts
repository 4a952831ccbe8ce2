import { expect, test } from "vitest";
import { capacityAnnotations } from "./node-capacity.ts";
import { dueConditions, nodeConditions } from "./node-conditions.ts";

const now = Date.parse("2026-11-20T10:00:00Z");
const exhausted = {
  class: "exhausted",
  code: "InvalidVSwitchId.IpNotEnough",
  message: "vSwitch vsw-a has no free address",
  sinceMs: 0,
} as const;

test("SufficientIP is False only while nothing is free and the cloud has no more; a node that is full by its own limits has what it can have", () => {
  const sufficient = (free: number, problems: readonly (typeof exhausted)[]) => nodeConditions({ free, problems }, false);
  expect(sufficient(0, [exhausted])).toMatchObject([
    { type: "SufficientIP", status: "False", reason: "InsufficientIP", message: exhausted.message },
  ]);
  expect(sufficient(1, [exhausted])).toMatchObject([{ status: "True", reason: "SufficientIP" }]);
  expect(sufficient(0, [])).toMatchObject([{ status: "True" }]);
});

test("NetworkUnavailable is said once the runtime may use the network", () => {
  const types = (published: boolean) => nodeConditions({ free: 1, problems: [] }, published).map(({ type }) => type);
  expect(types(false)).toEqual(["SufficientIP"]);
  expect(types(true)).toEqual(["SufficientIP", "NetworkUnavailable"]);
});

test("whether NetworkPolicy is enforced is said where there is something to say", () => {
  const policy = { status: "False", reason: "KernelRefuses", message: "no BPF" } as const;
  expect(nodeConditions({ free: 1, problems: [] }, true, policy).at(-1)).toEqual({ type: "NetworkPolicyEnforced", ...policy });
});

test("written when it differs, and as a pulse every five minutes; the transition time moves with the status only", () => {
  const wanted = nodeConditions({ free: 1, problems: [] }, true);
  const first = dueConditions(wanted, [], now);
  expect(first.map(({ type, lastTransitionTime }) => [type, lastTransitionTime])).toEqual([
    ["SufficientIP", "2026-11-20T10:00:00Z"],
    ["NetworkUnavailable", "2026-11-20T10:00:00Z"],
  ]);
  expect(dueConditions(wanted, first, now + 299_000)).toEqual([]);
  const pulse = dueConditions(wanted, first, now + 301_000);
  expect(pulse).toMatchObject([
    { type: "SufficientIP", lastTransitionTime: "2026-11-20T10:00:00Z", lastHeartbeatTime: "2026-11-20T10:05:01Z" },
  ]);
  const lacking = dueConditions(nodeConditions({ free: 0, problems: [exhausted] }, true), first, now + 1_000);
  expect(lacking).toMatchObject([{ type: "SufficientIP", status: "False", lastTransitionTime: "2026-11-20T10:00:01Z" }]);
});

test("max-pods: shared, addresses of an ENI × ENIs; exclusive, ENIs; members beside the adapters, where a trunk may be", () => {
  const limits = { adapters: 4, totalAdapters: 14, trunkSupported: true };
  const config = { exclusive: false, ipv4: true, maxEnis: 3, ipv4PerEni: 10, ipv6PerEni: 10 };
  expect(capacityAnnotations(config, limits, false)).toEqual({ "k8s.aliyun.com/max-available-ip": "30" });
  expect(capacityAnnotations({ ...config, exclusive: true }, limits, false)).toEqual({ "k8s.aliyun.com/max-available-ip": "3" });
  expect(capacityAnnotations(config, limits, true)).toMatchObject({ "k8s.aliyun.com/max-member-eni-ip": "10" });
  expect(capacityAnnotations(config, { ...limits, trunkSupported: false }, true)).not.toHaveProperty("k8s.aliyun.com/max-member-eni-ip");
});
