import { assignIpv6Addresses } from "./assign-ipv6-addresses.ts";
import { assignPrivateIpAddresses } from "./assign-private-ip-addresses.ts";
import { attachNetworkInterface } from "./attach-network-interface.ts";
import { authorizeSecurityGroup, authorizeSecurityGroupEgress } from "./authorize-security-group.ts";
import { createNetworkInterface } from "./create-network-interface.ts";
import { createSecurityGroup } from "./create-security-group.ts";
import { deleteNetworkInterface } from "./delete-network-interface.ts";
import { deleteSecurityGroup } from "./delete-security-group.ts";
import { describeInstanceTypes } from "./describe-instance-types.ts";
import { describeInstances } from "./describe-instances.ts";
import { describeNetworkInterfaceAttribute } from "./describe-network-interface-attribute.ts";
import { describeNetworkInterfaces } from "./describe-network-interfaces.ts";
import { describeSecurityGroupAttribute } from "./describe-security-group-attribute.ts";
import { describeSecurityGroups } from "./describe-security-groups.ts";
import { describeVSwitchAttributes } from "./describe-v-switch-attributes.ts";
import { describeVSwitches } from "./describe-v-switches.ts";
import { detachNetworkInterface } from "./detach-network-interface.ts";
import { joinSecurityGroup, leaveSecurityGroup } from "./join-security-group.ts";
import { listTagResources } from "./list-tag-resources.ts";
import { modifyNetworkInterfaceAttribute } from "./modify-network-interface-attribute.ts";
import { modifySecurityGroupPolicy } from "./modify-security-group-policy.ts";
import type { Operation } from "./operation.ts";
import { revokeSecurityGroup, revokeSecurityGroupEgress } from "./revoke-security-group.ts";
import { tagResources } from "./tag-resources.ts";
import { unassignIpv6Addresses } from "./unassign-ipv6-addresses.ts";
import { unassignPrivateIpAddresses } from "./unassign-private-ip-addresses.ts";
import { untagResources } from "./untag-resources.ts";

/** Every operation that the simulator knows, by action. */
export const operations: ReadonlyMap<string, Operation> = new Map(
  [
    assignIpv6Addresses,
    assignPrivateIpAddresses,
    attachNetworkInterface,
    authorizeSecurityGroup,
    authorizeSecurityGroupEgress,
    createNetworkInterface,
    createSecurityGroup,
    deleteNetworkInterface,
    deleteSecurityGroup,
    describeInstanceTypes,
    describeInstances,
    describeNetworkInterfaceAttribute,
    describeNetworkInterfaces,
    describeSecurityGroupAttribute,
    describeSecurityGroups,
    describeVSwitchAttributes,
    describeVSwitches,
    detachNetworkInterface,
    joinSecurityGroup,
    leaveSecurityGroup,
    listTagResources,
    modifyNetworkInterfaceAttribute,
    modifySecurityGroupPolicy,
    revokeSecurityGroup,
    revokeSecurityGroupEgress,
    tagResources,
    unassignIpv6Addresses,
    unassignPrivateIpAddresses,
    untagResources,
  ].map((operation) => [operation.action, operation]),
);

/** API version and policy prefix of each product. */
export const products = {
  Ecs: { version: "2014-05-26", policy: "ecs", host: "ecs" },
  Vpc: { version: "2016-04-28", policy: "vpc", host: "vpc" },
} as const;
