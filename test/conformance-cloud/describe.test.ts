import {
  CreateNetworkInterfaceRequest,
  CreateNetworkInterfaceRequestTag,
  DescribeInstancesRequest,
  DescribeInstanceTypesRequest,
  DescribeNetworkInterfaceAttributeRequest,
  DescribeNetworkInterfacesRequest,
  DescribeNetworkInterfacesRequestTag,
  DescribeSecurityGroupsRequest,
  ListTagResourcesRequest,
  ModifyNetworkInterfaceAttributeRequest,
  TagResourcesRequest,
  TagResourcesRequestTag,
  UntagResourcesRequest,
} from "@alicloud/ecs20140526";
import { DescribeVSwitchAttributesRequest, DescribeVSwitchesRequest } from "@alicloud/vpc20160428";
import { instanceTypes } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attachedEni, type Lab, names, openLab, regionId } from "./lab.ts";

let lab: Lab;
let attached = "";
let free = "";
beforeAll(async () => {
  lab = await openLab({ settings: { delays: "instant", throttle: { enabled: false } } });
  attached = await attachedEni(lab, {
    tag: [new CreateNetworkInterfaceRequestTag({ key: "creator", value: "terway" })],
    ipv6AddressCount: 1,
  });
  const { body } = await lab.ecs.createNetworkInterface(
    new CreateNetworkInterfaceRequest({
      regionId,
      vSwitchId: names.otherZone,
      securityGroupIds: [names.group],
      networkInterfaceName: "lonely",
      tag: [
        new CreateNetworkInterfaceRequestTag({ key: "creator", value: "somebody" }),
        new CreateNetworkInterfaceRequestTag({ key: "empty", value: "" }),
      ],
    }),
  );
  free = body?.networkInterfaceId ?? "";
});
afterAll(() => lab[Symbol.asyncDispose]());

type Filter = ConstructorParameters<typeof DescribeNetworkInterfacesRequest>[0];
async function list(filter: Filter) {
  const { body } = await lab.ecs.describeNetworkInterfaces(new DescribeNetworkInterfacesRequest({ regionId, maxResults: 500, ...filter }));
  return body?.networkInterfaceSets?.networkInterfaceSet ?? [];
}
const tag = (key: string, value?: string) => new DescribeNetworkInterfacesRequestTag(value === undefined ? { key } : { key, value });
const primary = () => lab.simulator.state().instances.get(names.instance)?.primaryEniId ?? "";
const eni = (id: string) => lab.simulator.state().enis.get(id);

describe("DescribeNetworkInterfaces", () => {
  it.each<[string, () => Filter, () => string[]]>([
    ["everything", () => ({}), () => [primary(), attached, free]],
    ["ids, unknown ones left out", () => ({ networkInterfaceId: [attached, "eni-none"] }), () => [attached]],
    ["an instance", () => ({ instanceId: names.instance }), () => [primary(), attached]],
    ["an unknown instance", () => ({ instanceId: "i-none" }), () => []],
    ["a type", () => ({ type: "Primary" }), () => [primary()]],
    ["a status", () => ({ status: "Available" }), () => [free]],
    ["a VPC", () => ({ vpcId: "vpc-none" }), () => []],
    ["a vSwitch", () => ({ vSwitchId: names.otherZone }), () => [free]],
    ["a security group, not the primary ENI", () => ({ securityGroupId: names.group }), () => [attached, free]],
    ["a primary address", () => ({ primaryIpAddress: "10.0.1.10" }), () => [primary()]],
    ["private addresses", () => ({ privateIpAddress: [eni(free)?.primaryIpv4 ?? "", "10.0.1.10"] }), () => [primary(), free]],
    ["an IPv6 address, however it is spelled", () => ({ ipv6Address: [(eni(attached)?.ipv6[0] ?? "").toUpperCase()] }), () => [attached]],
    ["a name", () => ({ networkInterfaceName: "lonely" }), () => [free]],
    ["a tag with its value", () => ({ tag: [tag("creator", "terway")] }), () => [attached]],
    ["a tag with any value", () => ({ tag: [tag("creator")] }), () => [attached, free]],
    ["two tags", () => ({ tag: [tag("creator"), tag("empty")] }), () => [free]],
    ["an instance and a tag", () => ({ instanceId: names.instance, tag: [tag("creator", "somebody")] }), () => []],
  ])("filters by %s", async (_, filter, expected) => {
    expect((await list(filter())).map((one) => one.networkInterfaceId).sort()).toEqual(expected().sort());
  });

  it("answers every field that clients read", async () => {
    const [one] = await list({ networkInterfaceId: [attached] });
    const state = eni(attached);
    expect(one).toMatchObject({
      networkInterfaceId: attached,
      status: "InUse",
      type: "Secondary",
      instanceId: names.instance,
      macAddress: state?.mac,
      privateIpAddress: state?.primaryIpv4,
      vSwitchId: names.vSwitch,
      vpcId: names.vpc,
      zoneId: "cn-hangzhou-i",
      ownerId: "1234567890123456",
      deleteOnRelease: true,
      networkInterfaceTrafficMode: "Standard",
      creationTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      securityGroupIds: { securityGroupId: [names.group] },
      privateIpSets: { privateIpSet: [{ privateIpAddress: state?.primaryIpv4, primary: true }] },
      ipv6Sets: { ipv6Set: [{ ipv6Address: state?.ipv6[0] }] },
      tags: { tag: [{ tagKey: "creator", tagValue: "terway" }] },
      attachment: { instanceId: names.instance, deviceIndex: 1 },
    });
  });

  it("pages both ways, each ENI once", async () => {
    for (let count = 0; count < 25; count++) {
      await lab.simulator.call("CreateNetworkInterface", { VSwitchId: names.ipv4Only, SecurityGroupId: names.group });
    }
    const all = [...lab.simulator.state().enis.values()].filter((one) => one.vSwitchId === names.ipv4Only).map((one) => one.id);
    const byToken: (string | undefined)[] = [];
    let nextToken: string | undefined;
    do {
      const request = new DescribeNetworkInterfacesRequest({
        regionId,
        vSwitchId: names.ipv4Only,
        maxResults: 10,
        ...(nextToken === undefined ? {} : { nextToken }),
      });
      const { body } = await lab.ecs.describeNetworkInterfaces(request);
      byToken.push(...(body?.networkInterfaceSets?.networkInterfaceSet ?? []).map((one) => one.networkInterfaceId));
      nextToken = body?.nextToken;
    } while (nextToken !== undefined && nextToken !== "");
    expect(byToken.sort()).toEqual([...all].sort());

    const byNumber: (string | undefined)[] = [];
    for (const pageNumber of [1, 2, 3]) {
      const { body } = await lab.ecs.describeNetworkInterfaces(
        new DescribeNetworkInterfacesRequest({ regionId, vSwitchId: names.ipv4Only, pageNumber, pageSize: 10 }),
      );
      expect(body).toMatchObject({ totalCount: 25, pageNumber, pageSize: 10 });
      byNumber.push(...(body?.networkInterfaceSets?.networkInterfaceSet ?? []).map((one) => one.networkInterfaceId));
    }
    expect(byNumber.sort()).toEqual([...all].sort());
  });
});

it("DescribeNetworkInterfaceAttribute answers one ENI, flat, also for what deployed clients ask", async () => {
  for (const attribute of ["attachment", "basic"]) {
    const { body } = await lab.ecs.describeNetworkInterfaceAttribute(
      new DescribeNetworkInterfaceAttributeRequest({ regionId, networkInterfaceId: attached, attribute }),
    );
    expect(body).toMatchObject({
      networkInterfaceId: attached,
      status: "InUse",
      connectionTrackingConfiguration: { tcpEstablishedTimeout: 910 },
    });
  }
});

it("DescribeInstanceTypes answers the catalogue by name, and all of it in pages", async () => {
  const { body } = await lab.ecs.describeInstanceTypes(new DescribeInstanceTypesRequest({ instanceTypes: ["ecs.g7.xlarge", "ecs.none"] }));
  expect(body?.instanceTypes?.instanceType).toMatchObject([
    {
      instanceTypeId: "ecs.g7.xlarge",
      instanceTypeFamily: "ecs.g7",
      eniQuantity: 4,
      eniTotalQuantity: 20,
      eniPrivateIpAddressQuantity: 15,
      eniIpv6AddressQuantity: 15,
      eniTrunkSupported: true,
      eriQuantity: 0,
    },
  ]);
  const all: (string | undefined)[] = [];
  let nextToken: string | undefined;
  do {
    const page = await lab.ecs.describeInstanceTypes(
      new DescribeInstanceTypesRequest({ maxResults: 100, ...(nextToken === undefined ? {} : { nextToken }) }),
    );
    all.push(...(page.body?.instanceTypes?.instanceType ?? []).map((type) => type.instanceTypeId));
    nextToken = page.body?.nextToken;
  } while (nextToken !== undefined && nextToken !== "");
  expect(all.sort()).toEqual([...instanceTypes.keys()].sort());
});

it("DescribeInstances answers the instance with its ENIs", async () => {
  const { body } = await lab.ecs.describeInstances(
    new DescribeInstancesRequest({ regionId, instanceIds: JSON.stringify([names.instance]) }),
  );
  expect(body?.instances?.instance).toHaveLength(1);
  expect(body?.instances?.instance?.[0]).toMatchObject({
    instanceId: names.instance,
    instanceType: "ecs.g7.xlarge",
    status: "Running",
    vpcAttributes: { vpcId: names.vpc, vSwitchId: names.vSwitch, privateIpAddress: { ipAddress: ["10.0.1.10"] } },
  });
  expect(body?.instances?.instance?.[0]?.networkInterfaces?.networkInterface?.map((one) => one.networkInterfaceId).sort()).toEqual(
    [primary(), attached].sort(),
  );
});

it("DescribeSecurityGroups answers what is left of the capacity", async () => {
  const { body } = await lab.ecs.describeSecurityGroups(
    new DescribeSecurityGroupsRequest({ regionId, securityGroupIds: JSON.stringify([names.group]), isQueryEcsCount: true }),
  );
  const used = [...lab.simulator.state().enis.values()].reduce((sum, one) => sum + one.ipv4.length + one.ipv6.length, 0);
  expect(body?.securityGroups?.securityGroup).toMatchObject([
    { securityGroupId: names.group, vpcId: names.vpc, availableInstanceAmount: 6000 - used, ecsCount: 1 },
  ]);
});

describe("vSwitches", () => {
  it("are listed with their free addresses", async () => {
    const { body } = await lab.vpc.describeVSwitches(new DescribeVSwitchesRequest({ regionId, vSwitchId: names.vSwitch }));
    expect(body?.vSwitches?.vSwitch).toMatchObject([
      {
        vSwitchId: names.vSwitch,
        vpcId: names.vpc,
        zoneId: "cn-hangzhou-i",
        status: "Available",
        cidrBlock: "10.0.1.0/24",
        ipv6CidrBlock: "2408:4005:3c5:6301::/64",
        enabledIpv6: true,
        availableIpAddressCount: 250,
      },
    ]);
  });

  it("are paged by number, unknown ones are an empty list", async () => {
    const { body } = await lab.vpc.describeVSwitches(
      new DescribeVSwitchesRequest({ regionId, vpcId: names.vpc, pageSize: 3, pageNumber: 2 }),
    );
    expect(body).toMatchObject({ totalCount: 4, pageNumber: 2, pageSize: 3 });
    expect(body?.vSwitches?.vSwitch).toHaveLength(1);
    const none = await lab.vpc.describeVSwitches(new DescribeVSwitchesRequest({ regionId, vSwitchId: "vsw-none" }));
    expect(none.body?.vSwitches?.vSwitch).toEqual([]);
  });

  it("are answered one by one, flat", async () => {
    const { body } = await lab.vpc.describeVSwitchAttributes(new DescribeVSwitchAttributesRequest({ regionId, vSwitchId: names.ipv4Only }));
    expect(body).toMatchObject({ vSwitchId: names.ipv4Only, cidrBlock: "10.0.3.0/24", zoneId: "cn-hangzhou-i" });
  });
});

it("tags are set, listed and removed; groups and names are replaced", async () => {
  const resource = { regionId, resourceType: "eni", resourceId: [free] };
  await lab.ecs.tagResources(
    new TagResourcesRequest({ ...resource, tag: [new TagResourcesRequestTag({ key: "creator", value: "terway" })] }),
  );
  await lab.ecs.untagResources(new UntagResourcesRequest({ ...resource, tagKey: ["empty"] }));
  const { body } = await lab.ecs.listTagResources(new ListTagResourcesRequest(resource));
  expect(body?.tagResources?.tagResource).toMatchObject([{ resourceId: free, resourceType: "eni", tagKey: "creator", tagValue: "terway" }]);
  lab.simulator.createSecurityGroup({ id: "sg-2", vpcId: names.vpc });
  await lab.ecs.modifyNetworkInterfaceAttribute(
    new ModifyNetworkInterfaceAttributeRequest({
      regionId,
      networkInterfaceId: free,
      securityGroupId: ["sg-2"],
      networkInterfaceName: "renamed",
    }),
  );
  expect(eni(free)).toMatchObject({ securityGroupIds: ["sg-2"], name: "renamed" });
});
