import type { InstanceIdentity, InstanceLimits } from "@terway/model";
import { describe, expect, test } from "vitest";
import { poolConfig } from "./pool-config.ts";
import { eniConf } from "./testing/samples.ts";

const identity: InstanceIdentity = {
  instanceId: "i-1",
  instanceType: "ecs.g7.2xlarge",
  regionId: "cn-hangzhou",
  zoneId: "cn-hangzhou-a",
  vpcId: "vpc-1",
  vSwitchId: "vsw-own",
  primaryMac: "00:16:3e:00:00:00",
};
const limits: InstanceLimits = {
  instanceType: "ecs.g7.2xlarge",
  adapters: 4,
  totalAdapters: 4,
  ipv4PerAdapter: 15,
  ipv6PerAdapter: 15,
  trunkSupported: false,
  erdmaAdapters: 0,
};
const size = (conf: Record<string, unknown>, changed: Partial<InstanceLimits> = {}, exclusive = false) =>
  poolConfig({
    conf: eniConf(conf),
    identity,
    limits: { ...limits, ...changed },
    primarySecurityGroupIds: ["sg-primary"],
    coolDownMs: 30_000,
    exclusive,
  });

describe("number of ENIs: int(adapters × ratio) + shift − 1, at most max_eni and what the type allows", () => {
  test.each([
    [{}, 3],
    [{ eni_cap_ratio: 0.5 }, 1],
    [{ eni_cap_ratio: 0.6 }, 1],
    [{ eni_cap_ratio: 0.5, eni_cap_shift: 1 }, 2],
    [{ eni_cap_shift: -1 }, 2],
    [{ eni_cap_shift: -9 }, 0],
    [{ eni_cap_shift: 5 }, 3],
    [{ max_eni: 2 }, 2],
    [{ max_eni: 9 }, 3],
    [{ max_eni: 0 }, 3],
  ])("%j → %i", (conf, enis) => {
    expect(size(conf).config.maxEnis).toBe(enis);
  });
});

describe("idle addresses", () => {
  test.each([
    [{ max_pool_size: 5, min_pool_size: 2 }, 2, 5],
    [{ max_pool_size: 100, min_pool_size: 60 }, 45, 45],
    [{ max_pool_size: 20, min_eni: 1 }, 15, 20],
    [{ max_pool_size: 10, min_eni: 1 }, 10, 10],
    [{ max_pool_size: 0, min_pool_size: 0 }, 0, 0],
  ])("%j → %i to %i", (conf, least, most) => {
    expect(size(conf).config).toMatchObject({ minIdle: least, maxIdle: most });
  });

  test("what the instance cannot hold is said", () => {
    expect(size({ max_pool_size: 100, min_pool_size: 60 }).reductions).toEqual([expect.stringContaining("45 addresses")]);
    expect(size({ max_pool_size: 5 }).reductions).toEqual([]);
  });
});

describe("idle ENIs of a node whose pods have whole ones", () => {
  test.each([
    [{ max_pool_size: 2, min_pool_size: 1 }, 1, 2],
    [{ max_pool_size: 100, min_pool_size: 60 }, 3, 3],
    [{ max_pool_size: 20, min_eni: 2 }, 2, 3],
    [{}, 0, 3],
  ])("%j → %i to %i", (conf, least, most) => {
    expect(size(conf, {}, true).config).toMatchObject({ exclusive: true, maxEnis: 3, minIdle: least, maxIdle: most });
  });

  test("what the instance cannot hold is said", () => {
    expect(size({ max_pool_size: 100, min_pool_size: 60 }, {}, true).reductions).toEqual([expect.stringContaining("3 ENIs")]);
  });
});

test("IPv6 is left out where the instance type has none", () => {
  expect(size({ ip_stack: "dual" }).config).toMatchObject({ ipv4: true, ipv6: true });
  const without = size({ ip_stack: "dual" }, { ipv6PerAdapter: 0 });
  expect(without.config).toMatchObject({ ipv4: true, ipv6: false });
  expect(without.reductions).toEqual([expect.stringContaining("ecs.g7.2xlarge has none")]);
});

test("vSwitches of the zone, else the instance's own; groups of the file, else those of the primary ENI", () => {
  const named = size({ vswitches: { "cn-hangzhou-a": ["vsw-1", "vsw-2"] }, security_groups: ["sg-1"] });
  expect(named.config).toMatchObject({ vSwitchIds: ["vsw-1", "vsw-2"], securityGroupIds: ["sg-1"] });
  const other = size({ vswitches: { "cn-hangzhou-b": ["vsw-3"] } });
  expect(other.config).toMatchObject({ vSwitchIds: ["vsw-own"], securityGroupIds: ["sg-primary"] });
  expect(other.reductions).toEqual([expect.stringContaining("cn-hangzhou-a")]);
});

test("an operator's tags cannot take ours away", () => {
  expect(size({ eni_tags: { team: "net", creator: "me" } }).config.eniTags).toMatchObject({
    team: "net",
    creator: "terway",
  });
});
