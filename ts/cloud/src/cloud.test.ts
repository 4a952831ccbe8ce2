import { type CreateEniSpec, type DegradationLevel, type MemberCloud, systemClock, systemRandom } from "@terway/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clientTokenTag, openCloud } from "./cloud.ts";
import { openCredentials } from "./credentials.ts";
import { openMetadata } from "./metadata.ts";
import { operations } from "./operations.ts";
import { names, SimulatedRegion, staticCredentials } from "./testing/simulated-region.ts";

let region: SimulatedRegion;
let cloud: MemberCloud;
let tokens = 0;

beforeEach(async () => {
  region = await SimulatedRegion.start();
  cloud = region.cloud();
});
afterEach(() => region[Symbol.asyncDispose]());

const spec = (changes: Partial<CreateEniSpec> = {}): CreateEniSpec => ({
  vSwitchId: names.vSwitch,
  securityGroupIds: [names.group],
  type: "Secondary",
  secondaryIpv4Count: 0,
  ipv6Count: 0,
  tags: { creator: "terway", "node name": "nöde [1]'" },
  clientToken: `token-${++tokens}`,
  ...changes,
});
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const enis = () => [...region.simulator.state().enis.values()];

/** An ENI that is attached to the node. */
async function attached(changes: Partial<CreateEniSpec> = {}) {
  const eni = await cloud.createEni(spec(changes));
  await cloud.attachEni(eni.id, names.instance);
  await region.simulator.until((state) => state.enis.get(eni.id)?.status === "InUse");
  return eni;
}

describe("reads", () => {
  test("instance type", async () => {
    expect(await cloud.describeInstanceType("ecs.g7.xlarge")).toMatchObject({
      instanceType: "ecs.g7.xlarge",
      adapters: 4,
      ipv4PerAdapter: 15,
    });
  });

  test("an unknown instance type is an error, not nothing", async () => {
    expect(await failure(cloud.describeInstanceType("ecs.none"))).toMatchObject({ class: "invalid", resource: "ecs.none" });
  });

  test("vSwitches: each once, unknown ones absent", async () => {
    const found = await cloud.describeVSwitches([names.vSwitch, names.other, names.vSwitch, "vsw-none"]);
    expect(found).toHaveLength(2);
    expect(found.find((one) => one.id === names.vSwitch)).toEqual({
      id: names.vSwitch,
      vpcId: "vpc-1",
      zoneId: "cn-hangzhou-i",
      cidr: "10.0.1.0/24",
      ipv6Cidr: "2408:4005:3a1:1901::/64",
      availableIpv4: 251,
    });
    expect(found.find((one) => one.id === names.other)).not.toHaveProperty("ipv6Cidr");
  });

  test("the ENIs of an instance, addresses canonical", async () => {
    const [primary] = await cloud.describeEnis({ instanceId: names.instance });
    expect(primary).toMatchObject({
      type: "Primary",
      status: "InUse",
      instanceId: names.instance,
      securityGroupIds: [names.group],
      vSwitchId: names.vSwitch,
    });
    expect(primary?.mac).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
    expect(primary?.ipv4).toContain(primary?.primaryIpv4);
    expect(primary?.ipv6[0]).toMatch(/^2408:4005:3a1:1901:/);
  });

  test("all pages: 620 ENIs come as 620, in two requests", async () => {
    region.simulator.createVSwitch({ id: "vsw-large", vpcId: "vpc-1", zoneId: "cn-hangzhou-i", cidr: "10.0.16.0/20" });
    const parameters = {
      RegionId: "cn-hangzhou",
      VSwitchId: "vsw-large",
      SecurityGroupId: names.group,
      "Tag.1.Key": "many",
      "Tag.1.Value": "yes",
    };
    for (let index = 0; index < 620; index++) await region.simulator.call("CreateNetworkInterface", parameters);
    const found = await cloud.describeEnis({ tags: { many: "yes" } });
    expect(new Set(found.map((eni) => eni.id)).size).toBe(620);
    expect(region.calls).toHaveLength(2);
  });

  test("an empty list of ids asks nothing, and an empty filter is refused", async () => {
    expect(await cloud.describeEnis({ eniIds: [] })).toEqual([]);
    expect(await failure(cloud.describeEnis({}))).toMatchObject({ class: "invalid" });
    expect(region.calls).toEqual([]);
  });

  test.each(["F35", "F35b"])("%s: pages that skip or repeat an entry never show one twice", async (fault) => {
    await attached();
    region.simulator.setFault({ fault });
    const found = await cloud.describeEnis({ instanceId: names.instance });
    expect(new Set(found.map((eni) => eni.id)).size).toBe(found.length);
  });

  test("F52: odd shapes are read, and an unknown status is never usable", async () => {
    await attached();
    region.simulator.setFault({ fault: "F52", effect: { type: "odd-shapes", status: "Hibernating" } });
    const found = await cloud.describeEnis({ instanceId: names.instance });
    expect(found).toHaveLength(2);
    for (const eni of found) expect(["InUse", "Available"]).not.toContain(eni.status);
    expect((await cloud.describeVSwitches([names.vSwitch]))[0]?.availableIpv4).toBeTypeOf("number");
    expect((await cloud.describeInstanceType("ecs.g7.xlarge")).adapters).toBe(4);
  });
});

describe("the life of an ENI", () => {
  test("create with addresses and tags, attach, assign, unassign, detach, delete", async () => {
    const created = await cloud.createEni(spec({ secondaryIpv4Count: 2, ipv6Count: 1 }));
    expect(created).toMatchObject({ status: "Available", type: "Secondary", vSwitchId: names.vSwitch, securityGroupIds: [names.group] });
    expect(created.ipv4).toHaveLength(3);
    expect(created.ipv6).toHaveLength(1);
    await cloud.attachEni(created.id, names.instance);
    await region.simulator.until((state) => state.enis.get(created.id)?.status === "InUse");

    const ipv4 = await cloud.assignIpv4(created.id, 10, "assign-4");
    const ipv6 = await cloud.assignIpv6(created.id, 3, "assign-6");
    const [read] = await cloud.describeEnis({ eniIds: [created.id] });
    expect(new Set(read?.ipv4)).toEqual(new Set([...created.ipv4, ...ipv4]));
    expect(new Set(read?.ipv6)).toEqual(new Set([...created.ipv6, ...ipv6]));
    expect(read).toMatchObject({ status: "InUse", instanceId: names.instance });
    expect(read?.tags).toMatchObject({ creator: "terway", "node name": "nöde [1]'" });

    await cloud.unassignIpv4(created.id, ipv4);
    await cloud.unassignIpv6(created.id, ipv6);
    expect((await cloud.describeEnis({ eniIds: [created.id] }))[0]).toMatchObject({ ipv4: created.ipv4, ipv6: created.ipv6 });

    await cloud.detachEni(created.id, names.instance);
    await region.simulator.until((state) => state.enis.get(created.id)?.status === "Available");
    await cloud.deleteEni(created.id);
    await region.simulator.until((state) => !state.enis.has(created.id));
  });

  test("what is gone already is gone: detach, delete, unassign", async () => {
    await cloud.detachEni("eni-none", names.instance);
    await cloud.deleteEni("eni-none");
    await cloud.unassignIpv4("eni-none", ["10.0.1.9"]);
  });

  test("F41: one address that is gone does not keep the others", async () => {
    const eni = await attached({ secondaryIpv4Count: 3 });
    const [first = "", ...others] = eni.ipv4.filter((address) => address !== eni.primaryIpv4);
    await cloud.unassignIpv4(eni.id, [first]);
    await cloud.unassignIpv4(eni.id, [first, ...others]);
    expect((await cloud.describeEnis({ eniIds: [eni.id] }))[0]?.ipv4).toEqual([eni.primaryIpv4]);
  });

  test("more than ten addresses are unassigned in tens, and more than ten are never asked for", async () => {
    const eni = await attached({ secondaryIpv4Count: 9 });
    const more = await cloud.assignIpv4(eni.id, 5, "assign-5");
    region.calls.length = 0;
    await cloud.unassignIpv4(eni.id, [...eni.ipv4.filter((address) => address !== eni.primaryIpv4), ...more]);
    expect(region.calls).toHaveLength(2);
    expect(await failure(cloud.assignIpv4(eni.id, 11, "assign-11"))).toMatchObject({ class: "invalid" });
    expect(await cloud.assignIpv4(eni.id, 0, "assign-0")).toEqual([]);
    expect(region.calls).toHaveLength(2);
  });

  test("F38: fewer addresses than asked for are what there is", async () => {
    const eni = await attached();
    region.simulator.setFault({ fault: "F38" });
    expect(await cloud.assignIpv4(eni.id, 10, "assign-10")).toHaveLength(6);
  });
});

describe("answers that are lost: nothing leaks (I5)", () => {
  test.each(["F01", "F03", "F22"])("%s at create: repeated with the same token, one ENI", async (fault) => {
    region.simulator.setFault({ fault });
    const before = enis().length;
    const eni = await cloud.createEni(spec());
    expect(enis()).toHaveLength(before + 1);
    expect(enis().some((one) => one.id === eni.id)).toBe(true);
  });

  test("an ENI whose creator died is found by its client token", async () => {
    const lost = spec();
    region.simulator.setFault({ match: { action: "CreateNetworkInterface" }, effect: { type: "reset", when: "after" } });
    expect(await failure(cloud.createEni(lost))).toMatchObject({ class: "unknown", code: "ConnectionReset" });
    region.simulator.clearFaults();
    const found = await cloud.describeEnis({ clientToken: lost.clientToken });
    expect(found).toHaveLength(1);
    expect(found[0]?.tags[clientTokenTag]).toBe(lost.clientToken);
    expect((await cloud.createEni(lost)).id).toBe(found[0]?.id);
  });

  test("F22 at assign: the same token gives the same addresses", async () => {
    const eni = await attached();
    region.simulator.setFault({ fault: "F22" });
    const given = await cloud.assignIpv4(eni.id, 4, "assign-once");
    expect(given).toHaveLength(4);
    expect((await cloud.describeEnis({ eniIds: [eni.id] }))[0]?.ipv4).toHaveLength(5);
  });

  test.each(["attachEni", "detachEni"] as const)("%s without an answer is unknown and not repeated", async (verb) => {
    const eni = await cloud.createEni(spec());
    region.simulator.setFault({
      match: { action: ["AttachNetworkInterface", "DetachNetworkInterface"] },
      effect: { type: "reset", when: "after" },
    });
    region.calls.length = 0;
    expect(await failure(cloud[verb](eni.id, names.instance))).toMatchObject({
      class: verb === "attachEni" ? "unknown" : expect.any(String),
    });
    expect(region.calls).toHaveLength(1);
  });

  test.each(["F24", "F25", "F27"])("%s: an answer that cannot be read", async (fault) => {
    const quick = region.cloud({ attemptTimeoutMs: 300 });
    const eni = await quick.createEni(spec());
    region.simulator.setFault({ fault });
    expect(await failure(quick.deleteEni(eni.id))).toMatchObject({ class: "unknown" });
    expect(await failure(quick.describeVSwitches([names.vSwitch]))).toMatchObject({ class: "transient" });
  });
});

describe("the cloud's refusals", () => {
  test.each([
    ["F04", "exhausted", "InvalidVSwitchId.IpNotEnough", names.vSwitch],
    ["F05", "exhausted", "QuotaExceeded.PrivateIpAddress", names.vSwitch],
    ["F42", "quota", "SecurityGroupInstanceLimitExceed", names.group],
    ["F47", "conflict", "IdempotentParameterMismatch", names.vSwitch],
  ])("%s at create: %s, %s, %s", async (fault, expectedClass, code, resource) => {
    region.simulator.setFault({ fault });
    expect(await failure(cloud.createEni(spec()))).toMatchObject({
      class: expectedClass,
      code,
      resource,
      action: "CreateNetworkInterface",
      httpStatus: expect.any(Number),
    });
  });

  test("a vSwitch that is really full names itself when an ENI asks for more", async () => {
    const eni = await attached({ vSwitchId: names.other });
    expect(await failure(cloud.assignIpv4(eni.id, 5, "too-many"))).toMatchObject({ class: "exhausted", resource: names.other });
  });

  test.each([
    ["an unknown vSwitch", { vSwitchId: "vsw-none" }, "invalid", "InvalidVSwitchId.NotFound", "vsw-none"],
    ["an unknown security group", { securityGroupIds: ["sg-none"] }, "invalid", "InvalidSecurityGroupId.NotFound", "sg-none"],
    ["IPv6 where there is none", { vSwitchId: names.other, ipv6Count: 1 }, "invalid", "InvalidVSwitch.Ipv6NotTurnOn", names.other],
  ])("%s", async (_, changes, expectedClass, code, resource) => {
    expect(await failure(cloud.createEni(spec(changes)))).toMatchObject({ class: expectedClass, code, resource });
  });

  test("the account's and the instance's ENI quota", async () => {
    for (let index = 0; index < 3; index++) await attached();
    const surplus = await cloud.createEni(spec());
    expect(await failure(cloud.attachEni(surplus.id, names.instance))).toMatchObject({
      class: "quota",
      code: "EniPerInstanceLimitExceeded",
    });
    region.simulator.settings({ maxEnis: 4 });
    const error = await failure(cloud.createEni(spec()));
    expect(error).toMatchObject({ class: "quota", code: "MaxEniCountExceeded" });
    expect(String(error)).toContain("QuotaExceeded.Eni");
  });

  test("wrong key, wrong secret, missing permission: denied, and the daemon recovers when they are set right", async () => {
    const ask = (id: string, secret: string) =>
      failure(region.cloud({ credentials: staticCredentials(id, secret) }).describeVSwitches([names.vSwitch]));
    expect(await ask("LTAInone", "x")).toMatchObject({ class: "denied", code: expect.stringMatching(/^InvalidAccessKeyId/) });
    expect(await ask(names.key, "wrong")).toMatchObject({ class: "denied", code: "SignatureDoesNotMatch" });
    const policies = [{ Statement: [{ Effect: "Allow" as const, Action: "ecs:Describe*" }] }];
    region.simulator.accessKey({ id: names.key, secret: names.secret, user: "limited", policies });
    const denied = await failure(cloud.createEni(spec()));
    expect(denied).toMatchObject({ class: "denied", code: expect.stringMatching(/^Forbidden/) });
    expect(String(denied)).toContain("ram-policy.md");
    region.simulator.accessKey({ id: names.key, secret: names.secret });
    expect(await cloud.createEni(spec())).toMatchObject({ status: "Available" });
  });

  test("an object in the wrong state", async () => {
    const eni = await attached();
    expect(await failure(cloud.deleteEni(eni.id))).toMatchObject({
      class: "conflict",
      code: "InvalidOperation.InvalidEniState",
      resource: eni.id,
    });
  });

  test.each([
    ["F21", 2],
    ["F19", 2],
    ["F23", 2],
  ])("%s passes: the call succeeds without the caller noticing", async (fault, requests) => {
    const eni = await attached();
    region.calls.length = 0;
    region.simulator.setFault({ fault, match: { action: "AssignPrivateIpAddresses", times: 1 } });
    expect(await cloud.assignIpv4(eni.id, 1, "assign-1")).toHaveLength(1);
    expect(region.calls).toHaveLength(requests);
    expect(region.calls[0]).toHaveProperty("errorCode");
  });
});

describe("credentials of the RAM role, through metadata", () => {
  const roleCloud = () => {
    const metadata = openMetadata({ endpoint: region.metadata, clock: systemClock, random: systemRandom });
    return region.cloud({ credentials: openCredentials({ clock: systemClock, metadata, secretDirectory: "/nonexistent" }) });
  };

  test("sign calls, security token included", async () => {
    expect(await roleCloud().describeVSwitches([names.vSwitch])).toHaveLength(1);
  });

  test("F30: expired in the middle: fetched again, the caller does not notice", async () => {
    const served = roleCloud();
    await served.describeVSwitches([names.vSwitch]);
    region.simulator.setFault({ fault: "F30" });
    region.calls.length = 0;
    expect(await served.describeVSwitches([names.vSwitch])).toHaveLength(1);
    expect(region.calls.map((call) => call.errorCode)).toEqual(["InvalidSecurityToken.Expired", undefined]);
  });

  test("F31: the metadata service is away, what is valid goes on", async () => {
    const served = roleCloud();
    await served.describeVSwitches([names.vSwitch]);
    region.simulator.setFault({ fault: "F31" });
    expect(await served.describeVSwitches([names.vSwitch])).toHaveLength(1);
  });

  test("no role: denied, with what to do, and it works as soon as there is one", async () => {
    region.simulator.admin("setInstance", { id: names.instance, ramRole: null });
    const served = roleCloud();
    const error = await failure(served.describeVSwitches([names.vSwitch]));
    expect(error).toMatchObject({ class: "denied", code: "CredentialsUnavailable" });
    expect(String(error)).toContain("RAM role");
    region.simulator.admin("setInstance", { id: names.instance, ramRole: names.role });
    expect(await served.describeVSwitches([names.vSwitch])).toHaveLength(1);
  });
});

test("F28: nobody listens; it works again when somebody does", async () => {
  region.simulator.setFault({ fault: "F28" });
  expect(await failure(cloud.describeVSwitches([names.vSwitch]))).toMatchObject({ class: "transient" });
  region.simulator.clearFaults();
  expect(await cloud.describeVSwitches([names.vSwitch])).toHaveLength(1);
});

test("F32: a wrong clock is named as such", async () => {
  region.simulator.setFault({ fault: "F32" });
  const error = await failure(cloud.describeVSwitches([names.vSwitch]));
  expect(error).toMatchObject({ class: "denied", code: "InvalidTimeStamp.Expired" });
  expect(String(error)).toContain("clock");
});

test("F53: an empty answer is passed on as it is; whoever decides must not trust it alone", async () => {
  region.simulator.setFault({ fault: "F53" });
  expect(await cloud.describeEnis({ instanceId: names.instance })).toEqual([]);
  expect(await cloud.describeEnis({ instanceId: names.instance })).toHaveLength(1);
});

test("F46: a request that the gateway runs twice makes one ENI and one set of addresses", async () => {
  const eni = await attached();
  region.simulator.setFault({ fault: "F46" });
  expect(await cloud.assignIpv4(eni.id, 3, "twice")).toHaveLength(3);
  expect((await cloud.describeEnis({ eniIds: [eni.id] }))[0]?.ipv4).toHaveLength(4);
});

test("the minimal RAM policy is enough for everything", async () => {
  const actions = Object.values(operations).map((operation) => operation.ramAction);
  region.simulator.accessKey({
    id: names.key,
    secret: names.secret,
    user: "node",
    policies: [{ Statement: [{ Effect: "Allow", Action: actions }] }],
  });
  const eni = await attached({ ipv6Count: 1 });
  const ipv4 = await cloud.assignIpv4(eni.id, 1, "p-4");
  const ipv6 = await cloud.assignIpv6(eni.id, 1, "p-6");
  await cloud.unassignIpv4(eni.id, ipv4);
  await cloud.unassignIpv6(eni.id, ipv6);
  await cloud.detachEni(eni.id, names.instance);
  await region.simulator.until((state) => state.enis.get(eni.id)?.status === "Available");
  await cloud.deleteEni(eni.id);
  await cloud.describeInstanceType("ecs.g7.xlarge");
  await cloud.describeVSwitches([names.vSwitch]);
  await cloud.describeEnis({ instanceId: names.instance });
  // And nothing in it is superfluous.
  expect(new Set(region.calls.map((call) => call.action))).toEqual(new Set(Object.keys(operations)));
  expect(region.calls.filter((call) => call.errorCode !== undefined)).toEqual([]);
});

test("the SDK is not loaded before the first call", async () => {
  const probe = `
    import Module from "node:module";
    const { openCloud } = await import("@terway/cloud");
    const { systemClock, systemRandom } = await import("@terway/model");
    openCloud({ regionId: "r", clock: systemClock, random: systemRandom, credentials: { current: async () => ({}), refused() {} } });
    console.log(Object.keys(Module._cache).filter((path) => path.includes("@alicloud")).length);`;
  const { execFile } = await import("node:child_process");
  const output = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, ["--input-type=module", "-e", probe], { cwd: import.meta.dirname }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
  expect(output.trim()).toBe("0");
});

test.each(["ftp://x", "http://x/path", "http://user@x"])("endpoint %s is refused when the cloud is opened", (endpoint) => {
  const open = () =>
    openCloud({
      endpoints: { ecs: new URL(endpoint) },
      regionId: "r",
      credentials: staticCredentials(),
      clock: systemClock,
      random: { next: () => 0, uuid: () => "" },
    });
  expect(open).toThrow(/endpoint of ECS/);
});

describe("degraded", () => {
  test("L1 releases nothing and does the rest; L0 sends nothing at all; the level counts at each call", async () => {
    let level: DegradationLevel = "none";
    const gated = region.cloud({ degradation: () => level });
    const eni = await gated.createEni(spec());
    level = "l1";
    const second = await gated.createEni(spec());
    const refused = { class: "degraded", code: "Degraded", action: "DeleteNetworkInterface" };
    expect(await failure(gated.deleteEni(eni.id))).toMatchObject(refused);
    expect(await failure(gated.detachEni(eni.id, names.instance))).toMatchObject({ class: "degraded" });
    level = "l0";
    const sent = region.calls.length;
    expect(await failure(gated.describeEnis({ eniIds: [eni.id] }))).toMatchObject({ class: "degraded" });
    expect(await failure(gated.createEni(spec()))).toMatchObject({ class: "degraded" });
    expect(region.calls).toHaveLength(sent);
    level = "none";
    for (const { id } of [eni, second]) await gated.deleteEni(id);
  });
});

describe("members of a trunk", () => {
  test("a member shows its trunk and its VLAN id, goes and is an ordinary ENI again", async () => {
    const trunk = await attached({ type: "Trunk" });
    const member = await cloud.createEni(spec({ primaryIpv4: "10.0.1.77", deleteOnRelease: false }));
    expect(member).toMatchObject({ primaryIpv4: "10.0.1.77", type: "Secondary" });
    await cloud.attachMember(member.id, names.instance, trunk.id);
    await region.simulator.until((state) => state.enis.get(member.id)?.status === "InUse");
    const [shown] = await cloud.describeEnis({ eniIds: [member.id] });
    expect(shown).toMatchObject({ type: "Member", instanceId: names.instance, trunkId: trunk.id, vlanId: expect.any(Number) });
    expect(shown?.createdAtMs).toBeGreaterThan(Date.now() - 60_000);
    await cloud.detachMember(member.id, names.instance, trunk.id);
    await region.simulator.until((state) => state.enis.get(member.id)?.status === "Available");
    expect(await cloud.describeEnis({ eniIds: [member.id] })).toMatchObject([{ type: "Secondary", status: "Available" }]);
  });

  test("an address that is taken is refused by name", async () => {
    await cloud.createEni(spec({ primaryIpv4: "10.0.1.78" }));
    expect(await failure(cloud.createEni(spec({ primaryIpv4: "10.0.1.78" })))).toMatchObject({
      class: expect.any(String),
      action: "CreateNetworkInterface",
    });
  });
});
