import { apiError } from "./api-error.ts";
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
