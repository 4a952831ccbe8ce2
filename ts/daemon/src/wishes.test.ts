import { expect, test } from "vitest";
import { shapingOf } from "./wishes.ts";

const modes = { bandwidthMode: "edt", networkPriority: true } as const;

test("the runtime's bits per second win over the annotation's bytes, direction by direction", () => {
  const wishes = { bandwidth: { ingress: 1000, egress: 2000 } };
  expect(shapingOf({ bandwidth: { ingressBits: 80_000 } }, wishes, modes, "policy_route")).toMatchObject({
    bandwidth: { ingress: 10_000, egress: 2000 },
    bandwidthMode: "edt",
  });
  expect(shapingOf({ bandwidth: { egressBits: 4 } }, {}, modes, "ipvlan").bandwidth).toEqual({ egress: 1 });
});

test("a pod without limits has none; with classes on the node it is burstable", () => {
  expect(shapingOf({}, {}, modes, "policy_route")).toEqual({ priority: "burstable" });
  expect(shapingOf({}, { priority: "guaranteed" }, modes, "policy_route")).toEqual({ priority: "guaranteed" });
  expect(shapingOf({}, { priority: "guaranteed" }, { ...modes, networkPriority: false }, "policy_route")).toEqual({});
});

test("an ENI in the pod has a token bucket and no classes", () => {
  expect(shapingOf({ bandwidth: { egressBits: 8000 } }, { priority: "guaranteed" }, modes, "exclusive")).toEqual({
    bandwidth: { egress: 1000 },
    bandwidthMode: "tc",
  });
});
