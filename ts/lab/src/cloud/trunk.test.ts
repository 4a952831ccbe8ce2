import { expect, it } from "vitest";
import { ids, openRegion } from "./testing/region.ts";

async function withTrunk() {
  const region = await openRegion();
  const trunkId = await region.attachEni({ InstanceType: "Trunk" });
  const attachMember = async () => {
    const memberId = await region.createEni();
    const code = await region.code("AttachNetworkInterface", {
      NetworkInterfaceId: memberId,
      InstanceId: ids.instance,
      TrunkNetworkInstanceId: trunkId,
    });
    await region.clock.advance(0);
    return { memberId, code };
  };
  return { ...region, trunkId, attachMember };
}

it("attaches members to a trunk with a VLAN each, shown as device index, and lists them not by instance", async () => {
  const { attachMember, trunkId, call, eni } = await withTrunk();
  const one = await attachMember();
  const two = await attachMember();
  expect(eni(one.memberId)).toMatchObject({ type: "Member", status: "InUse", trunkId, instanceId: ids.instance });
  expect(eni(one.memberId).deviceIndex).not.toBe(eni(two.memberId).deviceIndex);
  const byInstance = JSON.stringify(await call("DescribeNetworkInterfaces", { InstanceId: ids.instance }));
  expect(byInstance).toContain(trunkId);
  expect(byInstance).not.toContain(one.memberId);
  const [member] = listOf(await call("DescribeNetworkInterfaces", { "NetworkInterfaceId.1": one.memberId }));
  expect(member).toMatchObject({
    InstanceId: "",
    Attachment: { InstanceId: ids.instance, TrunkNetworkInterfaceId: trunkId, DeviceIndex: eni(one.memberId).deviceIndex },
  });
  const attribute = await call("DescribeNetworkInterfaceAttribute", { NetworkInterfaceId: trunkId, Attribute: "attachment" });
  expect(attribute.Attachment).toMatchObject({
    MemberNetworkInterfaceIds: { MemberNetworkInterfaceId: expect.arrayContaining([one.memberId, two.memberId]) },
  });
});

it("lets a VLAN rest, has room for the members of the type, and keeps a trunk with members", async () => {
  const { attachMember, trunkId, call, code, clock, eni, simulator } = await withTrunk();
  const { memberId } = await attachMember();
  const { deviceIndex } = eni(memberId);
  expect(await code("DetachNetworkInterface", { NetworkInterfaceId: trunkId, InstanceId: ids.instance })).toBe(
    "InvalidOperation.HasMemberEniAttached",
  );
  await call("DetachNetworkInterface", { NetworkInterfaceId: memberId, InstanceId: ids.instance, TrunkNetworkInstanceId: trunkId });
  await clock.advance(0);
  expect(eni(memberId)).toMatchObject({ type: "Secondary", status: "Available" });
  expect([...simulator.state().table("restingVlans").values()]).toMatchObject([{ trunkId, vlan: deviceIndex }]);
  for (let count = 0; count < 16; count++) expect((await attachMember()).code).toBe("ok");
  expect((await attachMember()).code).toBe("EniPerInstanceLimitExceeded");
});

it("gives a VLAN again only after its rest, and at once without one (fault F48)", async () => {
  const { attachMember, trunkId, call, clock, eni, simulator } = await withTrunk();
  const detachAndAttach = async (memberId: string) => {
    await call("DetachNetworkInterface", { NetworkInterfaceId: memberId, InstanceId: ids.instance, TrunkNetworkInstanceId: trunkId });
    await clock.advance(0);
    return (await attachMember()).memberId;
  };
  const first = (await attachMember()).memberId;
  const vlan = eni(first).deviceIndex;
  const second = await detachAndAttach(first);
  expect(eni(second).deviceIndex).not.toBe(vlan);
  await clock.advance(60_000);
  expect(eni((await attachMember()).memberId).deviceIndex).toBe(vlan);
  simulator.settings({ vlanRestMs: 0 });
  const { deviceIndex } = eni(second);
  expect(eni(await detachAndAttach(second)).deviceIndex).toBe(deviceIndex);
});

it("refuses trunks where the type has none, a second trunk, and a member under what is no trunk", async () => {
  const { createEni, code, simulator, attachEni } = await withTrunk();
  const attach = async (parameters: Record<string, string>, more: Record<string, string>) =>
    code("AttachNetworkInterface", {
      NetworkInterfaceId: await createEni(parameters),
      ...more,
      InstanceId: more.InstanceId ?? ids.instance,
    });
  expect(await attach({ InstanceType: "Trunk" }, {})).toBe("InvalidOperation.TrunkingIsNotAllowed");
  await simulator.createInstance({ id: "i-old", type: "ecs.g6.large", vSwitchId: ids.vSwitch, securityGroupIds: [ids.group] });
  expect(await attach({ InstanceType: "Trunk" }, { InstanceId: "i-old" })).toBe("InvalidOperation.InstanceTypeNotSupportEniTrunking");
  expect(await attach({}, { TrunkNetworkInstanceId: await attachEni() })).toBe("InvalidOperation.EniTypeNotSupportTrunking");
});

function listOf(body: Record<string, unknown>): unknown[] {
  return (body.NetworkInterfaceSets as { NetworkInterfaceSet: unknown[] }).NetworkInterfaceSet;
}
