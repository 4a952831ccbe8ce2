import {
  AssignIpv6AddressesRequest,
  AssignPrivateIpAddressesRequest,
  AttachNetworkInterfaceRequest,
  CreateNetworkInterfaceRequest,
  CreateNetworkInterfaceRequestTag,
  DeleteNetworkInterfaceRequest,
  DescribeNetworkInterfacesRequest,
  DetachNetworkInterfaceRequest,
  UnassignIpv6AddressesRequest,
  UnassignPrivateIpAddressesRequest,
} from "@alicloud/ecs20140526";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Lab, names, openLab, regionId } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

async function describe(networkInterfaceId: string) {
  const { body } = await lab.ecs.describeNetworkInterfaces(
    new DescribeNetworkInterfacesRequest({ regionId, networkInterfaceId: [networkInterfaceId] }),
  );
  return body?.networkInterfaceSets?.networkInterfaceSet?.[0];
}

it("creates, attaches, assigns, unassigns, detaches and deletes one ENI", async () => {
  const created = await lab.ecs.createNetworkInterface(
    new CreateNetworkInterfaceRequest({
      regionId,
      vSwitchId: names.vSwitch,
      securityGroupIds: [names.group],
      secondaryPrivateIpAddressCount: 2,
      clientToken: "life-1",
      description: "interface create by terway",
      tag: [new CreateNetworkInterfaceRequestTag({ key: "creator", value: "terway 'täst' (a*b~c)!" })],
    }),
  );
  const eniId = created.body?.networkInterfaceId ?? "";
  expect(eniId).toMatch(/^eni-/);
  expect(created.body?.status).toBe("Available");
  expect(created.body?.macAddress).toMatch(/^00:16:3e(:[0-9a-f]{2}){3}$/);
  expect(created.body?.privateIpSets?.privateIpSet?.map((ip) => ip.primary)).toEqual([true, false, false]);
  expect(created.body?.tags?.tag?.[0]).toMatchObject({ tagKey: "creator", tagValue: "terway 'täst' (a*b~c)!" });

  await lab.ecs.attachNetworkInterface(
    new AttachNetworkInterfaceRequest({ regionId, networkInterfaceId: eniId, instanceId: names.instance }),
  );
  await lab.simulator.until((state) => state.enis.get(eniId)?.status === "InUse");
  expect(await describe(eniId)).toMatchObject({
    status: "InUse",
    type: "Secondary",
    instanceId: names.instance,
    attachment: { instanceId: names.instance, deviceIndex: 1 },
  });

  const assigned = await lab.ecs.assignPrivateIpAddresses(
    new AssignPrivateIpAddressesRequest({ regionId, networkInterfaceId: eniId, secondaryPrivateIpAddressCount: 3, clientToken: "life-2" }),
  );
  const ipv4 = assigned.body?.assignedPrivateIpAddressesSet?.privateIpSet?.privateIpAddress ?? [];
  expect(ipv4).toHaveLength(3);
  const assigned6 = await lab.ecs.assignIpv6Addresses(
    new AssignIpv6AddressesRequest({ regionId, networkInterfaceId: eniId, ipv6AddressCount: 2 }),
  );
  const ipv6 = assigned6.body?.ipv6Sets?.ipv6Address ?? [];
  expect(ipv6).toHaveLength(2);
  const full = await describe(eniId);
  expect(full?.privateIpSets?.privateIpSet?.map((ip) => ip.privateIpAddress)).toEqual(expect.arrayContaining(ipv4));
  expect(full?.ipv6Sets?.ipv6Set?.map((ip) => ip.ipv6Address)).toEqual(ipv6);

  await lab.ecs.unassignPrivateIpAddresses(
    new UnassignPrivateIpAddressesRequest({ regionId, networkInterfaceId: eniId, privateIpAddress: ipv4 }),
  );
  await lab.ecs.unassignIpv6Addresses(new UnassignIpv6AddressesRequest({ regionId, networkInterfaceId: eniId, ipv6Address: ipv6 }));
  const bare = await describe(eniId);
  expect(bare?.privateIpSets?.privateIpSet).toHaveLength(3);
  expect(bare?.ipv6Sets?.ipv6Set).toEqual([]);

  await lab.ecs.detachNetworkInterface(
    new DetachNetworkInterfaceRequest({ regionId, networkInterfaceId: eniId, instanceId: names.instance }),
  );
  await lab.simulator.until((state) => state.enis.get(eniId)?.status === "Available");
  await lab.ecs.deleteNetworkInterface(new DeleteNetworkInterfaceRequest({ regionId, networkInterfaceId: eniId }));
  await lab.simulator.until((state) => !state.enis.has(eniId));
  expect(await describe(eniId)).toBeUndefined();
});
