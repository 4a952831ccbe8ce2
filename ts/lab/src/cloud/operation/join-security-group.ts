import { z } from "zod";
import { apiError } from "../api-error.ts";
import { findEni, findSettledEni } from "../eni.ts";
import { text } from "../parameters.ts";
import type { Instance, NetworkInterface } from "../records.ts";
import { findSecurityGroup, putGroupsOfEni } from "../security-groups.ts";
import type { Transaction } from "../transaction.ts";
import { groupResource, operation } from "./operation.ts";

const schema = z.object({ SecurityGroupId: text, InstanceId: text.optional(), NetworkInterfaceId: text.optional() });

/** Both operations are deprecated in favour of ModifyNetworkInterfaceAttribute, and still in use. */
const common = { product: "Ecs", writes: true, delay: "other", schema, resources: groupResource } as const;

export const joinSecurityGroup = operation({
  ...common,
  action: "JoinSecurityGroup",
  run(parameters, { tx }) {
    const { id } = findSecurityGroup(tx, parameters.SecurityGroupId);
    const { eni, instance } = subject(tx, parameters);
    if (eni.securityGroupIds.includes(id)) {
      if (instance !== undefined) throw apiError("InvalidInstanceId.AlreadyExists");
      return {};
    }
    change(tx, eni, instance, [...eni.securityGroupIds, id]);
    return {};
  },
});

export const leaveSecurityGroup = operation({
  ...common,
  action: "LeaveSecurityGroup",
  run(parameters, { tx }) {
    const { id } = findSecurityGroup(tx, parameters.SecurityGroupId);
    const { eni, instance } = subject(tx, parameters);
    const rest = eni.securityGroupIds.filter((one) => one !== id);
    if (rest.length === eni.securityGroupIds.length) {
      throw apiError("InvalidSecurityGroupAssociation.NotFound", { id: instance?.id ?? eni.id, group: id });
    }
    if (rest.length === 0) {
      throw apiError(instance === undefined ? "InvalidOperation.AtLeastInOneGroup" : "InstanceLastSecurityGroup", { id: eni.id });
    }
    change(tx, eni, instance, rest);
    return {};
  },
});

/** An instance's groups are those of its primary ENI. */
function subject(
  tx: Transaction,
  { InstanceId: instanceId, NetworkInterfaceId: eniId }: z.infer<typeof schema>,
): { eni: NetworkInterface; instance?: Instance } {
  if (instanceId !== undefined && eniId !== undefined) throw apiError("InvalidParam.EniIdAndInstanceId.Conflict");
  if (eniId !== undefined) {
    const eni = findSettledEni(tx, eniId);
    if (eni.type === "Primary") throw apiError("InvalidOperation.InvalidEniType", { type: eni.type });
    return { eni };
  }
  if (instanceId === undefined) throw apiError("MissingParameter", { name: "InstanceId" });
  const instance = tx.instance(instanceId);
  if (instance === undefined) throw apiError("InvalidInstanceId.NotFound", { id: instanceId });
  return { eni: findEni(tx, instance.primaryEniId), instance };
}

function change(tx: Transaction, eni: NetworkInterface, instance: Instance | undefined, groups: readonly string[]): void {
  putGroupsOfEni(tx, eni, groups);
  if (instance !== undefined) tx.put("instances", instance.id, { ...instance, securityGroupIds: groups });
}
