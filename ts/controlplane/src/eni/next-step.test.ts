import type { Eni, EniStatus } from "@terway/model";
import { expect, test } from "vitest";
import { nextStep } from "./next-step.ts";

const eni = (status: EniStatus, more: Partial<Eni> = {}): Eni => ({
  ...{ id: "eni-1", mac: "00:16:3e:00:00:01", status, type: "Secondary", zoneId: "z", vSwitchId: "v", securityGroupIds: [] },
  ...{ primaryIpv4: "10.0.0.2", ipv4: ["10.0.0.2"], ipv6: [], tags: {} },
  ...more,
});
const here = { kind: "attached", at: { instanceId: "i-1" } } as const;
const onTrunk = { kind: "attached", at: { instanceId: "i-1", trunkId: "eni-t" } } as const;
const member = { instanceId: "i-1", type: "Member", trunkId: "eni-t", vlanId: 3 } as const;

test.each([
  ["free, wanted here", here, eni("Available"), "attach"],
  ["here", here, eni("InUse", { instanceId: "i-1" }), "done"],
  ["on another node: off it first", here, eni("InUse", { instanceId: "i-2" }), "detach"],
  ["a member, wanted as a whole", here, eni("InUse", member), "detach"],
  ["on its trunk", onTrunk, eni("InUse", member), "done"],
  ["on its trunk without a tag yet", onTrunk, eni("InUse", { instanceId: "i-1", type: "Member", trunkId: "eni-t" }), "wait"],
  ["on another trunk", onTrunk, eni("InUse", { ...member, trunkId: "eni-u" }), "detach"],
  ["under way", here, eni("Attaching"), "wait"],
  ["of a state that nobody knows", here, eni("Creating"), "wait"],
  ["gone, wanted here", here, undefined, "lost"],
  ["going, wanted here", here, eni("Deleting"), "lost"],
  ["in use, to be free", { kind: "detached" } as const, eni("InUse"), "detach"],
  ["free already", { kind: "detached" } as const, eni("Available"), "done"],
  ["in use, to be deleted", { kind: "deleted" } as const, eni("InUse"), "detach"],
  ["free, to be deleted", { kind: "deleted" } as const, eni("Available"), "delete"],
  ["going", { kind: "deleted" } as const, eni("Deleting"), "wait"],
  ["gone", { kind: "deleted" } as const, undefined, "done"],
])("%s", (_, wanted, shown, step) => {
  expect(nextStep(wanted, shown)).toBe(step);
});
