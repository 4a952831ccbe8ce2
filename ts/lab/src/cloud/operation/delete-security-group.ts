import { z } from "zod";
import { apiError } from "../api-error.ts";
import { text } from "../parameters.ts";
import { findSecurityGroup } from "../security-groups.ts";
import { groupResource, operation } from "./operation.ts";

const schema = z.object({ SecurityGroupId: text });

/** Refused while an ENI carries the group, or a rule of another group names it. */
export const deleteSecurityGroup = operation({
  action: "DeleteSecurityGroup",
  product: "Ecs",
  writes: true,
  delay: "other",
  schema,
  resources: groupResource,
  run({ SecurityGroupId: id }, { tx }) {
    findSecurityGroup(tx, id);
    if ([...tx.state.enis.values()].some((eni) => eni.securityGroupIds.includes(id))) {
      throw apiError("DependencyViolation", { reason: "There is still instance(s) in the specified security group." });
    }
    if ([...tx.state.table("securityGroups").values()].some((group) => group.rules.some((rule) => rule.peerGroupId === id))) {
      throw apiError("DependencyViolation", { reason: "The specified security group has been authorized in another one." });
    }
    tx.remove("securityGroups", id);
    tx.effect({ type: "remove-group", groupId: id });
    return {};
  },
});
