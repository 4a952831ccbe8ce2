import { expect, test } from "vitest";
import { poolConfig } from "../pool-config.ts";
import { eniConf } from "../testing/samples.ts";
import { nodeSpec } from "./node-spec.ts";

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
