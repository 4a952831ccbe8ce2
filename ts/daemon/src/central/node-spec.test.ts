import { expect, test } from "vitest";
import { poolConfig } from "../pool-config.ts";
import { eniConf } from "../testing/samples.ts";
import { contains, nodeSpec } from "./node-spec.ts";

const conf = eniConf({ enable_eni_trunking: true });
const identity = {
  ...{ regionId: "r", instanceType: "ecs.t", instanceId: "i-1" },
  zoneId: "z-1",
  vpcId: "vpc-1",
  vSwitchId: "vsw-a",
  primaryMac: "",
};
const limits = {
  instanceType: "ecs.t",
  adapters: 4,
  totalAdapters: 10,
  ipv4PerAdapter: 10,
  ipv6PerAdapter: 10,
  erdmaAdapters: 0,
  trunkSupported: true,
};
const bounds = poolConfig({ conf, identity, limits, primarySecurityGroupIds: [], coolDownMs: 0, exclusive: false }).config;
const flavorOf = (trunk: boolean) =>
  nodeSpec({ conf, identity, bounds, modes: undefined, trunk }).flavor?.map((one) => `${one.count} ${one.networkInterfaceType}`);

test("one of the slots is the trunk's, where there may be one", () => {
  expect(flavorOf(true)).toEqual(["1 Trunk", "2 Secondary"]);
  expect(flavorOf(false)).toEqual(["3 Secondary"]);
});

test.each([
  ["as it is", { a: 1, b: { c: ["x"] } }, true],
  ["with what others wrote", { a: 1, b: { c: ["x"], d: 2 }, e: 3 }, true],
  ["changed by somebody", { a: 2, b: { c: ["x"] } }, false],
  ["with more in a list", { a: 1, b: { c: ["x", "y"] } }, false],
  ["taken away", { a: 1 }, false],
  ["without an object", undefined, false],
])("what this node wants stands there: %s", (_, there, expected) => {
  expect(contains(there, { a: 1, b: { c: ["x"] }, f: undefined })).toBe(expected);
});
