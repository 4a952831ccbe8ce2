/** Each fault as the vendor's client sees it, by its number in the catalogue. */
import {
  AssignIpv6AddressesRequest,
  AssignPrivateIpAddressesRequest,
  AttachNetworkInterfaceRequest,
  CreateNetworkInterfaceRequest,
  DeleteNetworkInterfaceRequest,
  DescribeNetworkInterfacesRequest,
  DetachNetworkInterfaceRequest,
  UnassignPrivateIpAddressesRequest,
} from "@alicloud/ecs20140526";
import { ServerError, ThrottlingError } from "@alicloud/openapi-core";
import { DescribeVSwitchesRequest } from "@alicloud/vpc20160428";
import { faultCatalogue } from "@terway/lab";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attachedEni, type Lab, names, openLab, refusal, regionId } from "./lab.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await openLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const fault = (number: string, more: { value?: number; match?: object } = {}) => lab.simulator.setFault({ fault: number, ...more });
const create = async (clientToken?: string, vSwitchId: string = names.vSwitch) =>
  (
    await lab.ecs.createNetworkInterface(
      new CreateNetworkInterfaceRequest({
        regionId,
        vSwitchId,
        securityGroupIds: [names.group],
        ...(clientToken === undefined ? {} : { clientToken }),
      }),
    )
  ).body;
const attach = (networkInterfaceId: string) =>
  lab.ecs.attachNetworkInterface(new AttachNetworkInterfaceRequest({ regionId, networkInterfaceId, instanceId: names.instance }));
const detach = (networkInterfaceId: string) =>
  lab.ecs.detachNetworkInterface(new DetachNetworkInterfaceRequest({ regionId, networkInterfaceId, instanceId: names.instance }));
const assign = async (networkInterfaceId: string, count: number) =>
  (
    await lab.ecs.assignPrivateIpAddresses(
      new AssignPrivateIpAddressesRequest({ regionId, networkInterfaceId, secondaryPrivateIpAddressCount: count }),
    )
  ).body?.assignedPrivateIpAddressesSet?.privateIpSet?.privateIpAddress ?? [];
const list = async () => {
  const { body } = await lab.ecs.describeNetworkInterfaces(new DescribeNetworkInterfacesRequest({ regionId, maxResults: 500 }));
  return body?.networkInterfaceSets?.networkInterfaceSet ?? [];
};
const secondaryEnis = () => [...lab.simulator.state().enis.values()].filter((eni) => eni.type !== "Primary");
const eni = (id: string) => lab.simulator.state().enis.get(id);
const becomes = (id: string, status: string) => lab.simulator.until((state) => state.enis.get(id)?.status === status);

describe("lost and broken answers", () => {
  it("F01: create succeeds, its answer is lost; the same token finds the same ENI", async () => {
    fault("F01");
    expect(await refusal(() => create("t"))).toMatchObject({ code: "ECONNRESET" });
    const [made] = secondaryEnis();
    expect(made).toBeDefined();
    expect((await create("t"))?.networkInterfaceId).toBe(made?.id);
    expect(secondaryEnis()).toHaveLength(1);
  });

  it("a request that is lost on its way has no effect", async () => {
    lab.simulator.setFault({ effect: { type: "reset", when: "before" }, match: { action: "CreateNetworkInterface" } });
    expect(await refusal(() => create())).toMatchObject({ code: "ECONNRESET" });
    expect(secondaryEnis()).toEqual([]);
  });

  it("F03: the answer lacks the id, the ENI is there", async () => {
    fault("F03");
    expect((await create("t"))?.networkInterfaceId).toBe("");
    expect((await create("t"))?.networkInterfaceId).toBe(secondaryEnis()[0]?.id);
  });

  it("F22: InternalError after the effect", async () => {
    fault("F22");
    const error = await refusal(() => create("t"));
    expect(error).toBeInstanceOf(ServerError);
    expect(error).toMatchObject({ code: "InternalError", statusCode: 500 });
    expect((await create("t"))?.networkInterfaceId).toBe(secondaryEnis()[0]?.id);
  });

  it("F23: the region is out", async () => {
    fault("F23");
    expect(await refusal(list)).toMatchObject({ code: "ServiceUnavailable", statusCode: 503 });
    lab.simulator.clearFaults({ fault: "F23" });
    expect(await list()).toHaveLength(1);
  });

  it("F24: a proxy's page, which the client cannot read", async () => {
    fault("F24");
    expect(await refusal(list)).toBeInstanceOf(SyntaxError);
  });

  it("F25: the JSON ends in the middle", async () => {
    fault("F25");
    expect(await refusal(list)).toBeInstanceOf(SyntaxError);
  });

  it("F26: the answer comes late, the effect at once", async () => {
    fault("F26", { value: 400 });
    const started = Date.now();
    const pending = create();
    await lab.simulator.until(() => secondaryEnis().length === 1);
    expect(Date.now() - started).toBeLessThan(300);
    await pending;
    expect(Date.now() - started).toBeGreaterThanOrEqual(395);
  });

  it("F27: the body stalls, then the connection breaks", async () => {
    fault("F27", { value: 200 });
    expect(await refusal(list)).toMatchObject({ code: "ECONNRESET" });
  });

  it("F28: nobody listens, until the fault is cleared", async () => {
    fault("F28");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await refusal(list)).toMatchObject({ code: "ECONNREFUSED" });
    lab.simulator.clearFaults();
    await expect
      .poll(() =>
        list().then(
          (enis) => enis.length,
          () => 0,
        ),
      )
      .toBe(1);
  });

  it("F46: the gateway runs a request twice; only what has a token is protected", async () => {
    fault("F46");
    await create("t");
    expect(secondaryEnis()).toHaveLength(1);
    fault("F46");
    await create();
    expect(secondaryEnis()).toHaveLength(3);
    const id = await attachedEni(lab);
    fault("F46");
    const answered = await assign(id, 1);
    expect(answered).toHaveLength(1);
    expect(eni(id)?.ipv4).toHaveLength(3);
  });

  it("F54: everything is slow", async () => {
    fault("F54", { value: 300 });
    const started = Date.now();
    await list();
    expect(Date.now() - started).toBeGreaterThanOrEqual(295);
  });
});

describe("refusals", () => {
  it.each([
    ["F04", "InvalidVSwitchId.IpNotEnough", 403],
    ["F05", "QuotaExceeded.PrivateIpAddress", 400],
    ["F06", "InvalidVSwitchId.IpNotEnough", 403],
    ["F08", "InvalidVSwitchId.IpPrefixNotEnough", 403],
    ["F42", "SecurityGroupInstanceLimitExceed", 403],
    ["F47", "IdempotentParameterMismatch", 400],
    ["F30", "InvalidSecurityToken.Expired", 400],
    ["F32", "InvalidTimeStamp.Expired", 400],
  ])("%s: create is refused with %s", async (number, code, statusCode) => {
    fault(number);
    expect(await refusal(() => create())).toMatchObject({ code, statusCode });
    expect(secondaryEnis()).toEqual([]);
  });

  it("F04 on one vSwitch leaves the others alone", async () => {
    fault("F04", { match: { vSwitchId: names.vSwitch } });
    expect(await refusal(() => create())).toMatchObject({ code: "InvalidVSwitchId.IpNotEnough" });
    expect((await create(undefined, names.ipv4Only))?.networkInterfaceId).toMatch(/^eni-/);
  });

  it("F07: the free count is stale", async () => {
    lab.simulator.admin("setVSwitch", { id: names.small, reportedFree: 200 });
    const { body } = await lab.vpc.describeVSwitches(new DescribeVSwitchesRequest({ regionId, vSwitchId: names.small }));
    expect(body?.vSwitches?.vSwitch?.[0]?.availableIpAddressCount).toBe(200);
    for (let count = 0; count < 4; count++) await create(undefined, names.small);
    expect(await refusal(() => create(undefined, names.small))).toMatchObject({ code: "InvalidVSwitchId.IpNotEnough" });
  });

  it("F10: the instance takes no more ENIs", async () => {
    fault("F10");
    const id = (await create())?.networkInterfaceId ?? "";
    expect(await refusal(() => attach(id))).toMatchObject({ code: "EniPerInstanceLimitExceeded", statusCode: 403 });
    expect(eni(id)?.status).toBe("Available");
  });

  it("F19: one API is throttled, the others go on", async () => {
    fault("F19", { match: { action: "DescribeNetworkInterfaces" } });
    expect(await refusal(list)).toBeInstanceOf(ThrottlingError);
    expect((await create())?.networkInterfaceId).toMatch(/^eni-/);
  });

  it("a throttled answer can say when to come back", async () => {
    lab.simulator.setFault({ effect: { type: "error", code: "Throttling.Api", retryAfterMs: 1234 } });
    expect(await refusal(list)).toMatchObject({ code: "Throttling.Api", retryAfter: 1234 });
  });

  it("F21, F29, F55: assign is refused once, denied, or fails for IPv6 alone", async () => {
    const id = await attachedEni(lab);
    fault("F21");
    expect(await refusal(() => assign(id, 1))).toMatchObject({ code: "Operation.Conflict" });
    expect(await assign(id, 1)).toHaveLength(1);
    fault("F55");
    const ipv6 = () =>
      lab.ecs.assignIpv6Addresses(new AssignIpv6AddressesRequest({ regionId, networkInterfaceId: id, ipv6AddressCount: 1 }));
    expect(await assign(id, 1)).toHaveLength(1);
    expect(await refusal(ipv6)).toMatchObject({ code: "InternalError" });
    expect((await ipv6()).statusCode).toBe(200);
    fault("F29");
    expect(await refusal(() => assign(id, 1))).toMatchObject({
      code: "Forbidden.RAM",
      accessDeniedDetail: { AuthAction: "ecs:AssignPrivateIpAddresses" },
    });
  });

  it("F41: unassign says that the address is not there", async () => {
    const id = await attachedEni(lab, { secondaryPrivateIpAddressCount: 1 });
    fault("F41");
    const unassign = () =>
      lab.ecs.unassignPrivateIpAddresses(
        new UnassignPrivateIpAddressesRequest({ regionId, networkInterfaceId: id, privateIpAddress: [eni(id)?.ipv4[1] ?? ""] }),
      );
    expect(await refusal(unassign)).toMatchObject({ code: "InvalidIp.IpUnassigned" });
    expect((await unassign()).statusCode).toBe(200);
  });
});

describe("states that hang", () => {
  it("F11: attach never ends", async () => {
    fault("F11");
    const id = (await create())?.networkInterfaceId ?? "";
    await attach(id);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(eni(id)?.status).toBe("Attaching");
  });

  it("F12: attach falls back to Available, and works the next time", async () => {
    fault("F12");
    const id = (await create())?.networkInterfaceId ?? "";
    await attach(id);
    await becomes(id, "Available");
    expect(eni(id)?.instanceId).toBeUndefined();
    await attach(id);
    await becomes(id, "InUse");
  });

  it("F13, F14: detach and delete hang until they are called again", async () => {
    const id = await attachedEni(lab);
    fault("F13");
    await detach(id);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(eni(id)?.status).toBe("Detaching");
    await detach(id);
    await becomes(id, "Available");
    fault("F14");
    const remove = () => lab.ecs.deleteNetworkInterface(new DeleteNetworkInterfaceRequest({ regionId, networkInterfaceId: id }));
    await remove();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(eni(id)?.status).toBe("Deleting");
    await remove();
    await lab.simulator.until((state) => !state.enis.has(id));
  });
});

describe("wrong and old views", () => {
  it("F33: describe stays behind for some time", async () => {
    const id = await attachedEni(lab);
    await new Promise((resolve) => setTimeout(resolve, 400));
    fault("F33", { value: 300 });
    const [address] = await assign(id, 1);
    const shown = async () => (await list()).flatMap((one) => one.privateIpSets?.privateIpSet?.map((ip) => ip.privateIpAddress) ?? []);
    expect(await shown()).not.toContain(address);
    await expect.poll(shown).toContain(address);
  });

  it("the lag can hold for every describe and not for writes", async () => {
    lab.simulator.settings({ describeLagMs: 60_000 });
    const id = (await create())?.networkInterfaceId ?? "";
    expect((await list()).map((one) => one.networkInterfaceId)).not.toContain(id);
    await attach(id);
    await becomes(id, "InUse");
  });

  it("F34, F35, F53: describe misses what is attached, skips, repeats, or answers nothing, once", async () => {
    const id = await attachedEni(lab);
    const free = (await create())?.networkInterfaceId ?? "";
    fault("F34");
    expect((await list()).map((one) => one.networkInterfaceId)).toEqual([free]);
    fault("F35");
    expect(await list()).toHaveLength(2);
    fault("F53");
    expect(await list()).toEqual([]);
    expect((await list()).map((one) => one.networkInterfaceId)).toContain(id);
    fault("F35b");
    const repeated = (await list()).map((one) => one.networkInterfaceId);
    expect(repeated).toHaveLength(4);
    expect(repeated[0]).toBe(repeated[1]);
  });

  it("F38: fewer addresses than asked", async () => {
    const id = await attachedEni(lab);
    fault("F38", { value: 2 });
    expect(await assign(id, 5)).toHaveLength(2);
    expect(eni(id)?.ipv4).toHaveLength(3);
  });

  it("F39: assign answers an address that somebody uses", async () => {
    const id = await attachedEni(lab);
    lab.simulator.setFault({ fault: "F39", effect: { type: "answer-used-address", address: "10.0.1.10" } });
    expect(await assign(id, 2)).toContain("10.0.1.10");
  });

  it("F52: unknown fields, numbers as text, and a status word that nobody knows", async () => {
    lab.simulator.setFault({ fault: "F52", effect: { type: "odd-shapes", status: "Hibernating" } });
    const [one] = await list();
    expect(one).toMatchObject({ status: "Hibernating", attachment: { instanceId: names.instance } });
  });
});

describe("a second actor", () => {
  it("F15, F49: deletes an ENI, a trunk with its members", async () => {
    const id = await attachedEni(lab);
    const trunk = await attachedEni(lab, { instanceType: "Trunk" });
    const member = (await create())?.networkInterfaceId ?? "";
    await lab.simulator.call("AttachNetworkInterface", {
      NetworkInterfaceId: member,
      InstanceId: names.instance,
      TrunkNetworkInstanceId: trunk,
    });
    await becomes(member, "InUse");
    lab.simulator.admin("vanishEni", { id });
    lab.simulator.admin("vanishEni", { id: trunk });
    expect((await list()).map((one) => one.type)).toEqual(["Primary"]);
  });

  it("F16, F17, F18, F43: takes and gives addresses, attaches an ENI, changes groups", async () => {
    const id = await attachedEni(lab, { secondaryPrivateIpAddressCount: 1 });
    const taken = eni(id)?.ipv4[1] ?? "";
    await lab.simulator.call("UnassignPrivateIpAddresses", { NetworkInterfaceId: id, "PrivateIpAddress.1": taken });
    await lab.simulator.call("AssignPrivateIpAddresses", { NetworkInterfaceId: id, "PrivateIpAddress.1": "10.0.1.99" });
    expect(eni(id)?.ipv4.slice(1)).toEqual(["10.0.1.99"]);
    const foreign = await lab.simulator.call("CreateNetworkInterface", { VSwitchId: names.vSwitch, SecurityGroupId: names.group });
    await lab.simulator.call("AttachNetworkInterface", {
      NetworkInterfaceId: String(foreign.NetworkInterfaceId),
      InstanceId: names.instance,
    });
    await becomes(String(foreign.NetworkInterfaceId), "InUse");
    lab.simulator.createSecurityGroup({ id: "sg-2", vpcId: names.vpc });
    await lab.simulator.call("ModifyNetworkInterfaceAttribute", { NetworkInterfaceId: id, "SecurityGroupId.1": "sg-2" });
    expect(eni(id)?.securityGroupIds).toEqual(["sg-2"]);
    expect(lab.simulator.history().filter((entry) => entry.kind === "second-actor")).toHaveLength(5);
    expect(lab.simulator.counters().AssignPrivateIpAddresses).toBeUndefined();
  });

  it("F44, F45: stops, resizes and releases the instance", async () => {
    const id = (await create())?.networkInterfaceId ?? "";
    lab.simulator.admin("setInstance", { id: names.instance, status: "Stopping" });
    expect(await refusal(() => attach(id))).toMatchObject({ code: "InvalidOperation.InvalidEcsState" });
    lab.simulator.admin("setInstance", { id: names.instance, status: "Stopped", type: "ecs.t1.xsmall" });
    expect(await refusal(() => attach(id))).toMatchObject({ code: "EniPerInstanceLimitExceeded" });
    await lab.simulator.releaseInstance({ id: names.instance });
    expect(await refusal(() => attach(id))).toMatchObject({ code: "InvalidEcsId.NotFound" });
  });

  it("F48: a VLAN can be reused at once", async () => {
    lab.simulator.settings({ vlanRestMs: 0 });
    const trunk = await attachedEni(lab, { instanceType: "Trunk" });
    const member = (await create())?.networkInterfaceId ?? "";
    await lab.simulator.call("AttachNetworkInterface", {
      NetworkInterfaceId: member,
      InstanceId: names.instance,
      TrunkNetworkInstanceId: trunk,
    });
    await becomes(member, "InUse");
    await lab.simulator.call("DetachNetworkInterface", { NetworkInterfaceId: member, InstanceId: names.instance });
    await becomes(member, "Available");
    const now = Date.now();
    expect([...lab.simulator.state().table("restingVlans").values()].filter((vlan) => vlan.untilMs > now)).toEqual([]);
  });
});

describe("rules", () => {
  it("count, skip, end, and stand in the history with the calls they struck", async () => {
    const [rule] = lab.simulator.setFault({
      id: "mine",
      effect: { type: "error", code: "InternalError" },
      match: { action: "Describe*", skip: 1, times: 1 },
    });
    expect(rule?.id).toBe("mine");
    await list();
    expect(await refusal(list)).toMatchObject({ code: "InternalError" });
    await list();
    expect(lab.simulator.clearFaults({ id: "mine" })).toMatchObject([{ seen: 3, struck: 1 }]);
    expect(lab.simulator.history().filter((entry) => entry.faults.includes("mine"))).toMatchObject([
      { action: "DescribeNetworkInterfaces", code: "InternalError", status: 500 },
    ]);
    expect(lab.simulator.counters().DescribeNetworkInterfaces).toEqual({ calls: 3, failures: 1, byCode: { InternalError: 1 } });
  });

  it("strike one key, one ENI, or by chance", async () => {
    lab.simulator.setFault({ effect: { type: "error", code: "InternalError" }, match: { accessKeyId: "LTAIother" } });
    lab.simulator.setFault({ effect: { type: "error", code: "InternalError" }, match: { eniId: "eni-other" } });
    lab.simulator.setFault({ effect: { type: "error", code: "ServiceUnavailable" }, match: { probability: 0.5 } });
    const results = await Promise.all(
      Array.from({ length: 40 }, () =>
        list().then(
          () => "ok",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(new Set(results)).toEqual(new Set(["ok", "ServiceUnavailable"]));
  });
});

it("the catalogue has F01 to F56, and says of each how it is brought about or why not", () => {
  const numbers = faultCatalogue.map((entry) => entry.number).filter((number) => /^F\d\d$/.test(number));
  expect(numbers).toEqual(Array.from({ length: 56 }, (_, index) => `F${String(index + 1).padStart(2, "0")}`));
  for (const entry of faultCatalogue) {
    if (entry.how === "rule") expect(lab.simulator.setFault({ fault: entry.number }).length, entry.number).toBeGreaterThan(0);
    else expect(() => lab.simulator.setFault({ fault: entry.number }), entry.number).toThrow(/unknown fault/);
  }
});
