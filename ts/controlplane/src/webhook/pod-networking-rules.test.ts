import { describe, expect, test } from "vitest";
import { validatePodNetworking } from "./pod-networking-rules.ts";
import type { AdmissionRequest, Verdict } from "./review.ts";

const good = { vSwitchOptions: ["vsw-1"], securityGroupIDs: ["sg-1"] };

function judge(spec: object, injectResources = true): Verdict {
  const request: AdmissionRequest = {
    uid: "u",
    kind: { kind: "PodNetworking" },
    operation: "UPDATE",
    object: { metadata: { name: "web" }, spec },
  };
  // Of the configuration it reads only this.
  return validatePodNetworking({ config: { injectResources } as Parameters<typeof validatePodNetworking>[0]["config"] }, request);
}

test.each([
  ["the least", good],
  ["ten groups", { ...good, securityGroupIDs: Array.from({ length: 10 }, (_, index) => `sg-${index}`) }],
  ["fixed for a while", { ...good, allocationType: { type: "Fixed", releaseStrategy: "TTL", releaseAfter: "10m" } }],
  ["fixed for ever", { ...good, allocationType: { type: "Fixed", releaseStrategy: "Never" } }],
])("%s is allowed", (_, spec) => {
  expect(judge(spec)).toEqual({ kind: "allowed" });
});

describe("refused with the field", () => {
  const selector = { podSelector: { matchExpressions: [{ key: "a", operator: "Like", values: ["b"] }] } };
  test.each([
    ["no vSwitch", { ...good, vSwitchOptions: [] }, "spec.vSwitchOptions"],
    ["no group", { ...good, securityGroupIDs: [] }, "spec.securityGroupIDs"],
    [
      "a time to live without time",
      { ...good, allocationType: { type: "Fixed", releaseStrategy: "TTL" } },
      "spec.allocationType.releaseAfter",
    ],
    [
      "for ever and a time",
      { ...good, allocationType: { type: "Fixed", releaseStrategy: "Never", releaseAfter: "1h" } },
      "spec.allocationType.releaseAfter",
    ],
    ["an operator that nobody knows", { ...good, selector }, "spec.selector.podSelector.matchExpressions[0].operator"],
  ])("%s", (_, spec, field) => {
    expect(judge(spec)).toMatchObject({ kind: "denied", field });
  });

  test("a kind of ENI for pods whose requests nobody injects, without a selector", () => {
    const spec = { ...good, eniOptions: { eniType: "Trunk" } };
    expect(judge(spec, false)).toMatchObject({ kind: "denied", field: "spec.eniOptions.eniType" });
    expect(judge(spec)).toEqual({ kind: "allowed" });
  });
});
