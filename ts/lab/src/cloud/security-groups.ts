import { apiError } from "./api-error.ts";
import { fabricGroup } from "./fabric-object.ts";
import type { NetworkInterface, SecurityGroup } from "./records.ts";
import type { CloudState } from "./state.ts";
import type { Transaction } from "./transaction.ts";

/** The groups of these ids, which must exist in the VPC and be of one type. */
export function checkSecurityGroups(tx: Transaction, ids: readonly string[], vpcId: string): SecurityGroup[] {
  const groups = ids.map((id) => {
    const group = tx.securityGroup(id);
    if (group === undefined) throw apiError("InvalidSecurityGroupId.NotFound", { id });
    if (group.vpcId !== vpcId) throw apiError("InvalidSecurityGroupId.NotVpc", { id });
    return group;
  });
  if (groups.length > tx.state.settings.maxSecurityGroupsPerEni) throw apiError("SecurityGroupLimitExceeded");
  if (new Set(groups.map((group) => group.type)).size > 1) throw apiError("EnterpriseGroupLimited.MutliGroupType");
  return groups;
}

export function findSecurityGroup(tx: Transaction, id: string): SecurityGroup {
  const group = tx.securityGroup(id);
  if (group === undefined) throw apiError("InvalidSecurityGroupId.NotFound", { id });
  return group;
}

/** A group without rules: a normal one lets its members talk, an enterprise one lets nobody. */
export function newSecurityGroup(
  tx: Transaction,
  given: Pick<SecurityGroup, "id" | "vpcId" | "name" | "type" | "tags"> & Partial<SecurityGroup>,
): SecurityGroup {
  return {
    description: "",
    // Published quotas: addresses of a normal group, ENIs of an enterprise group.
    capacity: given.type === "normal" ? 6000 : 65_536,
    innerAccessPolicy: given.type === "normal" ? "Accept" : "Drop",
    rules: [],
    createdMs: tx.nowMs,
    ...given,
  };
}

/** The group changes, and with it what the fabric lets through. */
export function putSecurityGroup(tx: Transaction, group: SecurityGroup): void {
  tx.put("securityGroups", group.id, group);
  tx.effect({ type: "put-group", group: fabricGroup(group) });
}

/** The ENI carries these groups from now on; throws when it must not. */
export function putGroupsOfEni(tx: Transaction, eni: NetworkInterface, ids: readonly string[]): void {
  checkSecurityGroups(tx, ids, eni.vpcId);
  tx.putEni({ ...eni, securityGroupIds: ids });
  checkCapacity(tx.state, ids);
  if (eni.status === "InUse") tx.effect({ type: "regroup", eniId: eni.id, securityGroupIds: ids });
}

/** A normal group counts every address and prefix, an enterprise one every ENI. Call after the ENI was put. */
export function checkCapacity(state: CloudState, ids: readonly string[]): void {
  for (const id of ids) {
    const group = state.table("securityGroups").get(id);
    if (group !== undefined && usage(state, group) > group.capacity) throw apiError("SecurityGroupInstanceLimitExceed", { id });
  }
}

export function usage(state: CloudState, group: SecurityGroup): number {
  let sum = 0;
  for (const eni of state.enis.values())
    if (eni.securityGroupIds.includes(group.id)) sum += group.type === "normal" ? addressCount(eni) : 1;
  return sum;
}

function addressCount(eni: NetworkInterface): number {
  return eni.ipv4.length + eni.ipv6.length + eni.ipv4Prefixes.length + eni.ipv6Prefixes.length;
}
