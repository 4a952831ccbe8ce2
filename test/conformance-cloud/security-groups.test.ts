import {
  AuthorizeSecurityGroupEgressRequest,
  AuthorizeSecurityGroupEgressRequestPermissions,
  AuthorizeSecurityGroupRequest,
  AuthorizeSecurityGroupRequestPermissions,
  CreateSecurityGroupRequest,
  DeleteSecurityGroupRequest,
  DescribeSecurityGroupAttributeRequest,
  DescribeSecurityGroupsRequest,
  JoinSecurityGroupRequest,
  LeaveSecurityGroupRequest,
  ModifyNetworkInterfaceAttributeRequest,
  ModifySecurityGroupPolicyRequest,
  RevokeSecurityGroupRequest,
} from "@alicloud/ecs20140526";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attachedEni, type Lab, names, openLab, refusal, regionId } from "./lab.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await openLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

type Permission = ConstructorParameters<typeof AuthorizeSecurityGroupRequestPermissions>[0];
type CreateFields = ConstructorParameters<typeof CreateSecurityGroupRequest>[0];

const create = async (fields: CreateFields = {}) => {
  const { body } = await lab.ecs.createSecurityGroup(new CreateSecurityGroupRequest({ regionId, vpcId: names.vpc, ...fields }));
  return body?.securityGroupId ?? "";
};
const allow = (securityGroupId: string, ...permissions: Permission[]) =>
  lab.ecs.authorizeSecurityGroup(
    new AuthorizeSecurityGroupRequest({
      regionId,
      securityGroupId,
      permissions: permissions.map((one) => new AuthorizeSecurityGroupRequestPermissions(one)),
    }),
  );
const allowOut = (securityGroupId: string, permission: ConstructorParameters<typeof AuthorizeSecurityGroupEgressRequestPermissions>[0]) =>
  lab.ecs.authorizeSecurityGroupEgress(
    new AuthorizeSecurityGroupEgressRequest({
      regionId,
      securityGroupId,
      permissions: [new AuthorizeSecurityGroupEgressRequestPermissions(permission)],
    }),
  );
const attributes = async (securityGroupId: string, direction?: string) =>
  (
    await lab.ecs.describeSecurityGroupAttribute(
      new DescribeSecurityGroupAttributeRequest({ regionId, securityGroupId, ...(direction === undefined ? {} : { direction }) }),
    )
  ).body;
const rulesOf = async (id: string, direction?: string) => (await attributes(id, direction))?.permissions?.permission ?? [];
const join = (fields: ConstructorParameters<typeof JoinSecurityGroupRequest>[0]) =>
  lab.ecs.joinSecurityGroup(new JoinSecurityGroupRequest({ regionId, ...fields }));
const leave = (fields: ConstructorParameters<typeof LeaveSecurityGroupRequest>[0]) =>
  lab.ecs.leaveSecurityGroup(new LeaveSecurityGroupRequest({ regionId, ...fields }));
const setInner = (securityGroupId: string, innerAccessPolicy: string) =>
  lab.ecs.modifySecurityGroupPolicy(new ModifySecurityGroupPolicyRequest({ regionId, securityGroupId, innerAccessPolicy }));
const remove = (securityGroupId: string) => lab.ecs.deleteSecurityGroup(new DeleteSecurityGroupRequest({ regionId, securityGroupId }));
const tcp = (changes: Permission = {}): Permission => ({ ipProtocol: "TCP", portRange: "80/80", sourceCidrIp: "10.0.0.0/8", ...changes });

it("makes groups of both types, without rules, and with the inner access of the type", async () => {
  const [basic, advanced] = [
    await create({ securityGroupName: "web", description: "of the web" }),
    await create({ securityGroupType: "enterprise" }),
  ];
  expect(await attributes(basic)).toMatchObject({
    securityGroupName: "web",
    description: "of the web",
    innerAccessPolicy: "Accept",
    vpcId: names.vpc,
    permissions: { permission: [] },
  });
  expect(await attributes(advanced)).toMatchObject({ innerAccessPolicy: "Drop" });
  const { body } = await lab.ecs.describeSecurityGroups(
    new DescribeSecurityGroupsRequest({ regionId, securityGroupIds: JSON.stringify([advanced]) }),
  );
  expect(body?.securityGroups?.securityGroup).toMatchObject([{ securityGroupType: "enterprise", ruleCount: 0 }]);
});

it("adds rules once, lists them by direction and takes them away by content or id", async () => {
  const group = await create();
  await allow(group, tcp({ description: "one" }), tcp({ priority: "5", policy: "drop" }), {
    ipProtocol: "icmp",
    portRange: "-1/-1",
    sourceGroupId: names.group,
  });
  await allow(group, tcp());
  await allowOut(group, { ipProtocol: "all", portRange: "-1/-1", ipv6DestCidrIp: "2408::/16" });
  const inward = await rulesOf(group, "ingress");
  expect(
    inward.map(({ ipProtocol, portRange, policy, priority, sourceCidrIp, sourceGroupId, nicType }) => [
      ipProtocol,
      portRange,
      policy,
      priority,
      sourceCidrIp,
      sourceGroupId,
      nicType,
    ]),
  ).toEqual(
    expect.arrayContaining([
      ["TCP", "80/80", "Accept", "1", "10.0.0.0/8", "", "intranet"],
      ["TCP", "80/80", "Drop", "5", "10.0.0.0/8", "", "intranet"],
      ["ICMP", "-1/-1", "Accept", "1", "", names.group, "intranet"],
    ]),
  );
  expect(inward).toHaveLength(3);
  expect(await rulesOf(group, "egress")).toMatchObject([{ direction: "egress", ipv6DestCidrIp: "2408::/16", destCidrIp: "" }]);
  await lab.ecs.revokeSecurityGroup(new RevokeSecurityGroupRequest({ regionId, securityGroupId: group, ...tcp() }));
  expect(await rulesOf(group, "ingress")).toHaveLength(2);
  const [{ securityGroupRuleId = "" } = {}] = await rulesOf(group, "ingress");
  await lab.ecs.revokeSecurityGroup(
    new RevokeSecurityGroupRequest({ regionId, securityGroupId: group, securityGroupRuleId: [securityGroupRuleId] }),
  );
  expect(await rulesOf(group)).toHaveLength(2);
  // What is not there is taken away without a complaint.
  await lab.ecs.revokeSecurityGroup(new RevokeSecurityGroupRequest({ regionId, securityGroupId: group, ...tcp() }));
});

it("lets ENIs and instances join and leave", async () => {
  const group = await create();
  const eni = await attachedEni(lab);
  const groupsOf = (id: string) => lab.simulator.state().enis.get(id)?.securityGroupIds;
  await join({ securityGroupId: group, networkInterfaceId: eni });
  await join({ securityGroupId: group, networkInterfaceId: eni });
  expect(groupsOf(eni)).toEqual([names.group, group]);
  await leave({ securityGroupId: names.group, networkInterfaceId: eni });
  expect(groupsOf(eni)).toEqual([group]);
  await lab.ecs.modifyNetworkInterfaceAttribute(
    new ModifyNetworkInterfaceAttributeRequest({ regionId, networkInterfaceId: eni, securityGroupId: [names.group] }),
  );
  expect(groupsOf(eni)).toEqual([names.group]);
  await join({ securityGroupId: group, instanceId: names.instance });
  const instance = lab.simulator.state().instances.get(names.instance);
  expect([instance?.securityGroupIds, groupsOf(instance?.primaryEniId ?? "")]).toEqual([
    [names.group, group],
    [names.group, group],
  ]);
});

/** Name of the case, what to do, code and HTTP status of the refusal. */
type Row = [name: string, deed: (group: string) => Promise<unknown>, code: string, status: number];

const ruleRows: Row[] = [
  ["unknown group", () => allow("sg-none", tcp()), "InvalidSecurityGroupId.NotFound", 404],
  ["no protocol", (id) => allow(id, { portRange: "80/80", sourceCidrIp: "10.0.0.0/8" }), "MissingParameter", 400],
  ["unknown protocol", (id) => allow(id, tcp({ ipProtocol: "sctp" })), "InvalidIpProtocol.ValueNotSupported", 400],
  ["no port range", (id) => allow(id, { ipProtocol: "tcp", sourceCidrIp: "10.0.0.0/8" }), "MissingParameter", 400],
  ["port range without a slash", (id) => allow(id, tcp({ portRange: "80" })), "InvalidParam.PortRange", 400],
  ["port range beyond 65535", (id) => allow(id, tcp({ portRange: "80/65536" })), "InvalidParam.PortRange", 400],
  ["port range upside down", (id) => allow(id, tcp({ portRange: "90/80" })), "InvalidParam.PortRange", 400],
  ["TCP with all ports as -1", (id) => allow(id, tcp({ portRange: "-1/-1" })), "OperationDenied", 400],
  ["ICMP with ports", (id) => allow(id, tcp({ ipProtocol: "icmp" })), "OperationDenied", 400],
  ["priority 0", (id) => allow(id, tcp({ priority: "0" })), "InvalidPriority.ValueNotSupported", 400],
  ["priority 101", (id) => allow(id, tcp({ priority: "101" })), "InvalidPriority.ValueNotSupported", 400],
  ["priority that is no number", (id) => allow(id, tcp({ priority: "high" })), "InvalidPriority.Malformed", 400],
  ["policy that there is not", (id) => allow(id, tcp({ policy: "reject" })), "InvalidPolicy.Malformed", 400],
  ["public network", (id) => allow(id, tcp({ nicType: "internet" })), "InvalidNicType.ValueNotSupported", 400],
  ["no source", (id) => allow(id, { ipProtocol: "tcp", portRange: "80/80" }), "MissingParameter.Source", 400],
  ["no destination", (id) => allowOut(id, { ipProtocol: "tcp", portRange: "80/80" }), "MissingParameter.Dest", 400],
  ["host bits in the CIDR", (id) => allow(id, tcp({ sourceCidrIp: "10.0.0.1/8" })), "InvalidSourceCidrIp.Malformed", 400],
  ["IPv6 in the IPv4 field", (id) => allow(id, tcp({ sourceCidrIp: "::/0" })), "InvalidSourceCidrIp.Malformed", 400],
  [
    "no IPv6 CIDR",
    (id) => allow(id, { ipProtocol: "tcp", portRange: "80/80", ipv6SourceCidrIp: "x" }),
    "InvalidParam.Ipv6SourceCidrIp",
    400,
  ],
  ["sources of both families", (id) => allow(id, tcp({ ipv6SourceCidrIp: "::/0" })), "InvalidParam.SourceIp", 400],
  ["source and destination of two families", (id) => allow(id, tcp({ ipv6DestCidrIp: "::/0" })), "InvalidParameter.Conflict", 400],
  [
    "ICMP over IPv6",
    (id) => allow(id, { ipProtocol: "icmp", portRange: "-1/-1", ipv6SourceCidrIp: "::/0" }),
    "InvalidParam.Ipv4ProtocolConflictWithIpv6Address",
    400,
  ],
  [
    "ICMPv6 over IPv4",
    (id) => allow(id, { ipProtocol: "icmpv6", portRange: "-1/-1", sourceCidrIp: "0.0.0.0/0" }),
    "InvalidParam.Ipv6ProtocolConflictWithIpv4Address",
    400,
  ],
  [
    "unknown source group",
    (id) => allow(id, { ipProtocol: "tcp", portRange: "80/80", sourceGroupId: "sg-none" }),
    "InvalidSourceGroupId.NotFound",
    404,
  ],
  [
    "unknown destination group",
    (id) => allowOut(id, { ipProtocol: "tcp", portRange: "80/80", destGroupId: "sg-none" }),
    "InvalidDestGroupId.NotFound",
    404,
  ],
  ["itself as source", (id) => allow(id, { ipProtocol: "tcp", portRange: "80/80", sourceGroupId: id }), "InvalidParamter.Conflict", 403],
  [
    "itself as destination",
    (id) => allowOut(id, { ipProtocol: "tcp", portRange: "80/80", destGroupId: id }),
    "InvalidSecurityGroup.IsSame",
    403,
  ],
  [
    "a group of another VPC",
    (id) => {
      lab.simulator.createVpc({ id: "vpc-2", cidr: "10.0.0.0/8" });
      lab.simulator.createSecurityGroup({ id: "sg-2", vpcId: "vpc-2" });
      return allow(id, { ipProtocol: "tcp", portRange: "80/80", sourceGroupId: "sg-2" });
    },
    "InvalidSourceGroupId.Mismatch",
    400,
  ],
  [
    "a group as source of an advanced group",
    async () =>
      allow(await create({ securityGroupType: "enterprise" }), { ipProtocol: "tcp", portRange: "80/80", sourceGroupId: names.group }),
    "InvalidOperation.EnterpriseGroupAuthorizeGroup",
    403,
  ],
  [
    "more rules than a group holds",
    (id) => {
      lab.simulator.settings({ maxRulesPerSecurityGroup: 1 });
      return allow(id, tcp(), tcp({ portRange: "81/81" }));
    },
    "AuthorizationLimitExceed",
    403,
  ],
  [
    "revoke of an unknown rule id",
    (id) =>
      lab.ecs.revokeSecurityGroup(new RevokeSecurityGroupRequest({ regionId, securityGroupId: id, securityGroupRuleId: ["sgr-none"] })),
    "InvalidSecurityGroupRuleId.NotFound",
    404,
  ],
];

const groupRows: Row[] = [
  ["create in an unknown VPC", () => create({ vpcId: "vpc-none" }), "InvalidVpcId.NotFound", 404],
  ["create with a name of one letter", () => create({ securityGroupName: "x" }), "InvalidSecurityGroupName.Malformed", 400],
  ["create with a description of one letter", () => create({ description: "x" }), "InvalidSecurityGroupDiscription.Malformed", 400],
  ["create of a type that there is not", () => create({ securityGroupType: "gold" }), "InvalidParams.GroupType", 400],
  [
    "create beyond the quota",
    () => {
      lab.simulator.settings({ maxSecurityGroups: 1 });
      return create().then(() => create());
    },
    "QuotaExceed.SecurityGroup",
    403,
  ],
  ["attributes of an unknown group", () => attributes("sg-none"), "InvalidSecurityGroupId.NotFound", 404],
  ["delete of a group with members", () => remove(names.group), "DependencyViolation", 403],
  [
    "delete of a group that a rule names",
    async (id) => {
      const sourceGroupId = await create();
      await allow(id, { ipProtocol: "tcp", portRange: "80/80", sourceGroupId });
      return remove(sourceGroupId);
    },
    "DependencyViolation",
    403,
  ],
  ["inner access that there is not", (id) => setInner(id, "maybe"), "InvalidPolicy.Malformed", 400],
  [
    "inner access of an advanced group",
    async () => setInner(await create({ securityGroupType: "enterprise" }), "Accept"),
    "InvalidOperation.EnterpriseGroupInnerAccess",
    403,
  ],
  ["join of nobody", (id) => join({ securityGroupId: id }), "MissingParameter", 400],
  [
    "join of both",
    async (id) => join({ securityGroupId: id, instanceId: names.instance, networkInterfaceId: await attachedEni(lab) }),
    "InvalidParam.EniIdAndInstanceId.Conflict",
    403,
  ],
  ["join of an unknown instance", (id) => join({ securityGroupId: id, instanceId: "i-none" }), "InvalidInstanceId.NotFound", 404],
  ["join of an unknown ENI", (id) => join({ securityGroupId: id, networkInterfaceId: "eni-none" }), "InvalidEniId.NotFound", 404],
  [
    "join where the instance is",
    () => join({ securityGroupId: names.group, instanceId: names.instance }),
    "InvalidInstanceId.AlreadyExists",
    403,
  ],
  [
    "join of a second type",
    async () => join({ securityGroupId: await create({ securityGroupType: "enterprise" }), networkInterfaceId: await attachedEni(lab) }),
    "EnterpriseGroupLimited.MutliGroupType",
    403,
  ],
  [
    "join of a sixth group",
    async () => {
      const eni = await attachedEni(lab);
      for (let count = 0; count < 4; count += 1) await join({ securityGroupId: await create(), networkInterfaceId: eni });
      return join({ securityGroupId: await create(), networkInterfaceId: eni });
    },
    "SecurityGroupLimitExceeded",
    403,
  ],
  [
    "leave of a group one is not in",
    async (id) => leave({ securityGroupId: id, networkInterfaceId: await attachedEni(lab) }),
    "InvalidSecurityGroupAssociation.NotFound",
    400,
  ],
  [
    "leave of an ENI's last group",
    async () => leave({ securityGroupId: names.group, networkInterfaceId: await attachedEni(lab) }),
    "InvalidOperation.AtLeastInOneGroup",
    403,
  ],
  [
    "leave of an instance's last group",
    () => leave({ securityGroupId: names.group, instanceId: names.instance }),
    "InstanceLastSecurityGroup",
    403,
  ],
];

describe.each([
  ["rules", ruleRows],
  ["groups and members", groupRows],
])("refusals: %s", (_, rows) => {
  it.each(rows)("%s", async (_name, deed, code, status) => {
    const group = await create();
    const error = await refusal(() => deed(group));
    expect(error).toMatchObject({ code, statusCode: status });
  });
});

it("a call with one bad rule of two adds none", async () => {
  const group = await create();
  await refusal(() => allow(group, tcp(), tcp({ priority: "0" })));
  expect(await rulesOf(group)).toEqual([]);
});
