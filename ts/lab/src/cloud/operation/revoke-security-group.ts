import { z } from "zod";
import { apiError } from "../api-error.ts";
import { clientToken, list, text } from "../parameters.ts";
import type { SecurityGroupRule } from "../records.ts";
import { findSecurityGroup, putSecurityGroup } from "../security-groups.ts";
import { groupResource, operation } from "./operation.ts";
import { parseRule, permissionParameters, permissionsOf, sameRule } from "./rule-parameters.ts";

export const revokeSecurityGroup = revoke("RevokeSecurityGroup", "ingress");
export const revokeSecurityGroupEgress = revoke("RevokeSecurityGroupEgress", "egress");

/** By rule id, which must exist, or by the rule's content, where taking away what is not there is a success. */
function revoke(action: string, direction: SecurityGroupRule["direction"]) {
  return operation({
    action,
    product: "Ecs",
    writes: true,
    delay: "other",
    idempotent: true,
    schema: z.object({
      SecurityGroupId: text,
      SecurityGroupRuleId: list(100).optional(),
      ClientToken: clientToken.optional(),
      ...permissionParameters(direction),
    }),
    resources: groupResource,
    run(parameters, { tx }) {
      const group = findSecurityGroup(tx, parameters.SecurityGroupId);
      const { SecurityGroupRuleId: ids } = parameters;
      if (ids !== undefined) {
        const known = new Set(group.rules.filter((rule) => rule.direction === direction).map((rule) => rule.id));
        const unknown = ids.find((id) => !known.has(id));
        if (unknown !== undefined) throw apiError("InvalidSecurityGroupRuleId.NotFound", { id: unknown });
        putSecurityGroup(tx, { ...group, rules: group.rules.filter((rule) => !ids.includes(rule.id)) });
        return {};
      }
      const gone = permissionsOf(parameters).map((permission) => parseRule(tx, group, direction, permission));
      putSecurityGroup(tx, { ...group, rules: group.rules.filter((rule) => !gone.some((other) => sameRule(rule, other))) });
      return {};
    },
  });
}
