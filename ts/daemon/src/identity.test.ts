import type { InstanceIdentity, Metadata } from "@terway/model";
import { FakeClock } from "@terway/model/testing";
import pino from "pino";
import { expect, test } from "vitest";
import { askIdentity, believe, InstanceChanged, learnIdentity } from "./identity.ts";

const identity: InstanceIdentity = {
  instanceId: "i-1",
  instanceType: "ecs.g7.xlarge",
  regionId: "cn-hangzhou",
  zoneId: "cn-hangzhou-h",
  vpcId: "vpc-1",
  vSwitchId: "vsw-1",
  primaryMac: "00:16:3e:00:00:00",
};
const limits = {
  instanceType: "ecs.g7.xlarge",
  adapters: 4,
  totalAdapters: 4,
  ipv4PerAdapter: 15,
  ipv6PerAdapter: 15,
  trunkSupported: false,
  erdmaAdapters: 0,
};

/** A metadata service that fails until `failures` are used up. */
function service(failures: number, answer: InstanceIdentity = identity): Metadata {
  let left = failures;
  return {
    identity: () => (left-- > 0 ? Promise.reject(new Error("metadata away")) : Promise.resolve(answer)),
    enis: () => Promise.resolve([]),
    roleCredentials: () => Promise.resolve(undefined),
  };
}

test("the metadata service wins; what was known of the same instance is kept beside it", () => {
  const remembered = { identity, limits };
  expect(believe(undefined, undefined)).toBeUndefined();
  expect(believe(undefined, remembered)).toBe(remembered);
  expect(believe(identity, remembered)).toEqual(remembered);
  expect(believe({ ...identity, instanceId: "i-2" }, remembered)).toEqual({ identity: { ...identity, instanceId: "i-2" } });
  // A resized instance has other limits.
  expect(believe({ ...identity, instanceType: "ecs.g7.large" }, remembered)).not.toHaveProperty("limits");
});

test("a service that never answers does not hold up the start", async () => {
  const clock = new FakeClock();
  const silent: Metadata = {
    ...service(0),
    identity: (signal) => new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true })),
  };
  const asked = askIdentity(silent, clock).catch((error: unknown) => error);
  await clock.advance(2_000);
  expect(await asked).toEqual(new Error("no answer within 2000 ms"));
});

test("goes on asking; an answer of another instance ends the daemon", async () => {
  const clock = new FakeClock();
  const options = {
    clock,
    random: { next: () => 0.5, uuid: () => "" },
    log: pino({ level: "silent" }),
    signal: new AbortController().signal,
    onFailure: () => {},
  };
  const learned = learnIdentity({ ...options, metadata: service(3), remembered: undefined });
  await clock.advance(1_000 + 2_000 + 4_000);
  expect(await learned).toEqual(identity);
  const other = { identity: { ...identity, instanceId: "i-of-the-image" } };
  await expect(learnIdentity({ ...options, metadata: service(0), remembered: other })).rejects.toThrow(InstanceChanged);
});
