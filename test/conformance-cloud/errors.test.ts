import {
  AssignIpv6AddressesRequest,
  AssignPrivateIpAddressesRequest,
  AttachNetworkInterfaceRequest,
  CreateNetworkInterfaceRequest,
  CreateNetworkInterfaceRequestTag,
  DeleteNetworkInterfaceRequest,
  DescribeNetworkInterfaceAttributeRequest,
  DescribeNetworkInterfacesRequest,
  DetachNetworkInterfaceRequest,
  UnassignIpv6AddressesRequest,
  UnassignPrivateIpAddressesRequest,
} from "@alicloud/ecs20140526";
import { ClientError } from "@alicloud/openapi-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attachedEni, type Lab, names, openLab, refusal, regionId } from "./lab.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await openLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

type CreateFields = ConstructorParameters<typeof CreateNetworkInterfaceRequest>[0];
const create = (fields: CreateFields = {}) =>
  lab.ecs.createNetworkInterface(
    new CreateNetworkInterfaceRequest({ regionId, vSwitchId: names.vSwitch, securityGroupIds: [names.group], ...fields }),
  );
const createdId = async (fields?: CreateFields) => (await create(fields)).body?.networkInterfaceId ?? "";
const attach = (networkInterfaceId: string, instanceId: string = names.instance, trunkNetworkInstanceId?: string) =>
  lab.ecs.attachNetworkInterface(
    new AttachNetworkInterfaceRequest({
      regionId,
      networkInterfaceId,
      instanceId,
      ...(trunkNetworkInstanceId === undefined ? {} : { trunkNetworkInstanceId }),
    }),
  );
const detach = (networkInterfaceId: string, instanceId: string = names.instance) =>
  lab.ecs.detachNetworkInterface(new DetachNetworkInterfaceRequest({ regionId, networkInterfaceId, instanceId }));
const assign = (networkInterfaceId: string, secondaryPrivateIpAddressCount: number) =>
  lab.ecs.assignPrivateIpAddresses(new AssignPrivateIpAddressesRequest({ regionId, networkInterfaceId, secondaryPrivateIpAddressCount }));
const primaryEni = () => lab.simulator.state().instances.get(names.instance)?.primaryEniId ?? "";

it("answers an error as the gateway does", async () => {
  const error = await create({ vSwitchId: "vsw-none" }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ClientError);
  expect(error).toMatchObject({
    code: "InvalidVSwitchId.NotFound",
    statusCode: 404,
    requestId: expect.stringMatching(/^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/),
    data: {
      HostId: "ecs.cn-hangzhou.aliyuncs.com",
      Code: "InvalidVSwitchId.NotFound",
      Recommend: "https://api.aliyun.com/troubleshoot?q=InvalidVSwitchId.NotFound&product=Ecs",
    },
  });
});

/** Name of the case, what to do, code and HTTP status of the refusal. */
type Row = [name: string, deed: () => Promise<unknown>, code: string, status: number];

const createRows: Row[] = [
  ["unknown vSwitch", () => create({ vSwitchId: "vsw-none" }), "InvalidVSwitchId.NotFound", 404],
  [
    "no vSwitch",
    () => lab.ecs.createNetworkInterface(new CreateNetworkInterfaceRequest({ regionId, securityGroupIds: [names.group] })),
    "MissingParameter",
    400,
  ],
  [
    "no region",
    () => lab.ecs.createNetworkInterface(new CreateNetworkInterfaceRequest({ vSwitchId: names.vSwitch, securityGroupIds: [names.group] })),
    "MissingParameter",
    400,
  ],
  ["another region", () => create({ regionId: "cn-nowhere" }), "InvalidRegionId.NotFound", 404],
  [
    "no security group",
    () => lab.ecs.createNetworkInterface(new CreateNetworkInterfaceRequest({ regionId, vSwitchId: names.vSwitch })),
    "MissingParameter",
    400,
  ],
  ["both forms of groups", () => create({ securityGroupId: names.group }), "InvalidParameter.Conflict", 400],
  ["unknown group", () => create({ securityGroupIds: ["sg-none"] }), "InvalidSecurityGroupId.NotFound", 404],
  [
    "group of another VPC",
    () => {
      lab.simulator.createVpc({ id: "vpc-2", cidr: "10.0.0.0/8" });
      lab.simulator.createSecurityGroup({ id: "sg-2", vpcId: "vpc-2" });
      return create({ securityGroupIds: ["sg-2"] });
    },
    "InvalidSecurityGroupId.NotVpc",
    403,
  ],
  [
    "groups of two types",
    () => {
      lab.simulator.createSecurityGroup({ id: "sg-e", vpcId: names.vpc, type: "enterprise" });
      return create({ securityGroupIds: [names.group, "sg-e"] });
    },
    "EnterpriseGroupLimited.MutliGroupType",
    403,
  ],
  ["vSwitch used up", () => create({ vSwitchId: names.small, secondaryPrivateIpAddressCount: 4 }), "InvalidVSwitchId.IpNotEnough", 403],
  ["address outside", () => create({ primaryIpAddress: "10.0.9.1" }), "InvalidVSwitchId.IpInvalid", 403],
  ["address taken", () => create({ primaryIpAddress: "10.0.1.10" }), "InvalidIp.IpAssigned", 403],
  ["address twice", () => create({ privateIpAddress: ["10.0.1.50", "10.0.1.50"] }), "InvalidIp.IpRepeated", 400],
  ["no address", () => create({ primaryIpAddress: "10.0.1.x" }), "InvalidIp.Address", 400],
  [
    "list and count",
    () => create({ privateIpAddress: ["10.0.1.50"], secondaryPrivateIpAddressCount: 1 }),
    "InvalidParameter.Conflict",
    400,
  ],
  ["too many addresses", () => create({ secondaryPrivateIpAddressCount: 50 }), "InvalidParameter", 400],
  ["IPv6 without IPv6", () => create({ vSwitchId: names.ipv4Only, ipv6AddressCount: 1 }), "InvalidVSwitch.Ipv6NotTurnOn", 403],
  ["no room for a prefix", () => create({ vSwitchId: names.small, ipv4PrefixCount: 1 }), "InvalidVSwitchId.IpPrefixNotEnough", 403],
  [
    "pending vSwitch",
    () => {
      lab.simulator.admin("setVSwitch", { id: names.vSwitch, status: "Pending" });
      return create();
    },
    "IncorrectVSwitchStatus",
    400,
  ],
  [
    "account full",
    () => {
      lab.simulator.settings({ maxEnis: 0 });
      return create();
    },
    "MaxEniCountExceeded",
    403,
  ],
  [
    "group full",
    () => {
      lab.simulator.admin("setSecurityGroup", { id: names.group, capacity: 1 });
      return create();
    },
    "SecurityGroupInstanceLimitExceed",
    403,
  ],
  [
    "reserved tag",
    () => create({ tag: [new CreateNetworkInterfaceRequestTag({ key: "acs:x", value: "1" })] }),
    "InvalidTagKey.Malformed",
    400,
  ],
  [
    "tag value too long",
    () => create({ tag: [new CreateNetworkInterfaceRequestTag({ key: "x", value: "v".repeat(129) })] }),
    "InvalidTagValue.Malformed",
    400,
  ],
  [
    "tag twice",
    () => create({ tag: ["a", "a"].map((key) => new CreateNetworkInterfaceRequestTag({ key, value: "1" })) }),
    "Duplicate.TagKey",
    400,
  ],
  [
    "21 tags",
    () => create({ tag: Array.from({ length: 21 }, (_, index) => new CreateNetworkInterfaceRequestTag({ key: `k${index}`, value: "" })) }),
    "QuotaExceed.Tags",
    400,
  ],
  ["token too long", () => create({ clientToken: "t".repeat(65) }), "InvalidParameter", 400],
  ["traffic mode that there is not", () => create({ networkInterfaceTrafficMode: "Fast" }), "InvalidParameter", 400],
];

const attachRows: Row[] = [
  ["attach of an unknown ENI", () => attach("eni-none"), "InvalidEniId.NotFound", 404],
  ["attach to an unknown instance", async () => attach(await createdId(), "i-none"), "InvalidEcsId.NotFound", 404],
  [
    "attach in another zone",
    async () => attach(await createdId({ vSwitchId: names.otherZone })),
    "InvalidOperation.AvailabilityZoneMismatch",
    403,
  ],
  [
    "attach in another VPC",
    async () => {
      lab.simulator.createVpc({ id: "vpc-2", cidr: "10.0.0.0/8" });
      lab.simulator.createVSwitch({ id: "vsw-2", vpcId: "vpc-2", cidr: "10.0.1.0/24" });
      lab.simulator.createSecurityGroup({ id: "sg-2", vpcId: "vpc-2" });
      return attach(await createdId({ vSwitchId: "vsw-2", securityGroupIds: ["sg-2"] }));
    },
    "InvalidOperation.VpcMismatch",
    403,
  ],
  [
    "attach to a starting instance",
    async () => {
      const eni = await createdId();
      lab.simulator.admin("setInstance", { id: names.instance, status: "Starting" });
      return attach(eni);
    },
    "InvalidOperation.InvalidEcsState",
    400,
  ],
  [
    "attach to a second instance",
    async () => {
      await lab.simulator.createInstance({ id: "i-2", vSwitchId: names.vSwitch, securityGroupIds: [names.group] });
      return attach(await attachedEni(lab), "i-2");
    },
    "InvalidOperation.InvalidEniState",
    400,
  ],
  [
    "attach beyond the type's ENIs",
    async () => {
      for (let count = 0; count < 3; count++) await attachedEni(lab);
      return attach(await createdId());
    },
    "EniPerInstanceLimitExceeded",
    403,
  ],
  [
    "attach under what is no trunk",
    async () => attach(await createdId(), names.instance, await attachedEni(lab)),
    "InvalidOperation.EniTypeNotSupportTrunking",
    403,
  ],
  ["detach of an unknown ENI", () => detach("eni-none"), "InvalidEniId.NotFound", 404],
  ["detach from an unknown instance", async () => detach(await attachedEni(lab), "i-none"), "InvalidEcsId.NotFound", 404],
  [
    "detach from the wrong instance",
    async () => {
      await lab.simulator.createInstance({ id: "i-2", vSwitchId: names.vSwitch, securityGroupIds: [names.group] });
      return detach(await attachedEni(lab), "i-2");
    },
    "InvalidParameter.EniNotBelongEcs",
    400,
  ],
  ["detach of the primary ENI", () => detach(primaryEni()), "InvalidOperation.DetachPrimaryEniNotAllowed", 400],
  [
    "delete of an unknown ENI",
    () => lab.ecs.deleteNetworkInterface(new DeleteNetworkInterfaceRequest({ regionId, networkInterfaceId: "eni-none" })),
    "InvalidEniId.NotFound",
    404,
  ],
  [
    "delete of an ENI in use",
    async () => lab.ecs.deleteNetworkInterface(new DeleteNetworkInterfaceRequest({ regionId, networkInterfaceId: await attachedEni(lab) })),
    "InvalidOperation.InvalidEniState",
    400,
  ],
];

const addressRows: Row[] = [
  ["assign to an unknown ENI", () => assign("eni-none", 1), "InvalidEniId.NotFound", 404],
  [
    "assign of nothing",
    async () =>
      lab.ecs.assignPrivateIpAddresses(new AssignPrivateIpAddressesRequest({ regionId, networkInterfaceId: await attachedEni(lab) })),
    "MissingParameter",
    400,
  ],
  ["assign of eleven", async () => assign(await attachedEni(lab), 11), "InvalidParameter", 400],
  [
    "assign beyond the slots",
    async () => {
      const eni = await attachedEni(lab);
      await assign(eni, 10);
      return assign(eni, 5);
    },
    "InvalidOperation.Ipv4CountExceeded",
    403,
  ],
  [
    "assign from an empty vSwitch",
    async () => assign(await attachedEni(lab, { vSwitchId: names.small }), 4),
    "InvalidVSwitchId.IpNotEnough",
    403,
  ],
  [
    "assign IPv6 beyond the slots",
    async () => {
      await lab.simulator.createInstance({ id: "i-2", type: "ecs.g6.large", vSwitchId: names.vSwitch, securityGroupIds: [names.group] });
      return lab.ecs.assignIpv6Addresses(
        new AssignIpv6AddressesRequest({ regionId, networkInterfaceId: await attachedEni(lab, {}, "i-2"), ipv6AddressCount: 2 }),
      );
    },
    "InvalidOperation.Ipv6CountExceeded",
    403,
  ],
  [
    "assign IPv6 where the type has none",
    async () => {
      await lab.simulator.createInstance({ id: "i-2", type: "ecs.ic5.large", vSwitchId: names.vSwitch, securityGroupIds: [names.group] });
      return lab.ecs.assignIpv6Addresses(
        new AssignIpv6AddressesRequest({ regionId, networkInterfaceId: await attachedEni(lab, {}, "i-2"), ipv6AddressCount: 1 }),
      );
    },
    "InvalidOperation.Ipv6NotSupport",
    403,
  ],
  [
    "assign IPv6 where the vSwitch has none",
    async () =>
      lab.ecs.assignIpv6Addresses(
        new AssignIpv6AddressesRequest({
          regionId,
          networkInterfaceId: await attachedEni(lab, { vSwitchId: names.ipv4Only }),
          ipv6AddressCount: 1,
        }),
      ),
    "InvalidVSwitch.Ipv6NotTurnOn",
    403,
  ],
  [
    "unassign of what is not there",
    async () =>
      lab.ecs.unassignPrivateIpAddresses(
        new UnassignPrivateIpAddressesRequest({ regionId, networkInterfaceId: await attachedEni(lab), privateIpAddress: ["10.0.1.200"] }),
      ),
    "InvalidIp.IpUnassigned",
    403,
  ],
  [
    "unassign of the primary address",
    () =>
      lab.ecs.unassignPrivateIpAddresses(
        new UnassignPrivateIpAddressesRequest({ regionId, networkInterfaceId: primaryEni(), privateIpAddress: ["10.0.1.10"] }),
      ),
    "InvalidIp.IpUnassigned",
    403,
  ],
  [
    "unassign of an IPv6 address that is not there",
    async () =>
      lab.ecs.unassignIpv6Addresses(
        new UnassignIpv6AddressesRequest({ regionId, networkInterfaceId: await attachedEni(lab), ipv6Address: ["2408:4005:3c5:6301::77"] }),
      ),
    "InvalidIp.IpUnassigned",
    403,
  ],
  [
    "unassign of nothing",
    async () =>
      lab.ecs.unassignPrivateIpAddresses(new UnassignPrivateIpAddressesRequest({ regionId, networkInterfaceId: await attachedEni(lab) })),
    "MissingParameter",
    400,
  ],
  [
    "assign while another one runs",
    async () => {
      const eni = await attachedEni(lab);
      lab.simulator.settings({ delays: { assign: { min: 300, max: 300 } } });
      const [, second] = await Promise.allSettled([assign(eni, 1), assign(eni, 1)]);
      if (second.status === "rejected") throw second.reason;
    },
    "Operation.Conflict",
    403,
  ],
];

const describeRows: Row[] = [
  [
    "a page that is too large",
    () => lab.ecs.describeNetworkInterfaces(new DescribeNetworkInterfacesRequest({ regionId, pageSize: 101 })),
    "InvalidParameter",
    400,
  ],
  [
    "101 ids",
    () =>
      lab.ecs.describeNetworkInterfaces(
        new DescribeNetworkInterfacesRequest({ regionId, networkInterfaceId: Array.from({ length: 101 }, (_, index) => `eni-${index}`) }),
      ),
    "InvalidParameter",
    400,
  ],
  [
    "a token of somebody else",
    () => lab.ecs.describeNetworkInterfaces(new DescribeNetworkInterfacesRequest({ regionId, nextToken: "*" })),
    "InvalidParameter",
    400,
  ],
  [
    "the attributes of nothing",
    () =>
      lab.ecs.describeNetworkInterfaceAttribute(new DescribeNetworkInterfaceAttributeRequest({ regionId, networkInterfaceId: "eni-none" })),
    "InvalidEniId.NotFound",
    404,
  ],
];

describe.each([
  ["create", createRows],
  ["attach, detach, delete", attachRows],
  ["assign, unassign", addressRows],
  ["describe", describeRows],
])("%s", (_, rows) => {
  it.each(rows)("%s", async (_name, deed, code, status) => {
    const error = await refusal(deed);
    expect(error).toMatchObject({ code, statusCode: status });
  });
});

it("a refused call has changed nothing", async () => {
  const before = JSON.stringify(lab.simulator.state().toJSON());
  await refusal(() => create({ secondaryPrivateIpAddressCount: 3, vSwitchId: names.small, ipv6AddressCount: 10, ipv4PrefixCount: 1 }));
  expect(JSON.stringify(lab.simulator.state().toJSON())).toBe(before);
});
