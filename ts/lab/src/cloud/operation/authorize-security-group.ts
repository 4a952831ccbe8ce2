import { z } from "zod";
import { apiError } from "../api-error.ts";
import { clientToken, text } from "../parameters.ts";
import type { SecurityGroupRule } from "../records.ts";
import { findSecurityGroup, putSecurityGroup } from "../security-groups.ts";
import { resourceId } from "../seeded-random.ts";
import { groupResource, operation } from "./operation.ts";
import { parseRule, permissionParameters, permissionsOf, sameRule } from "./rule-parameters.ts";

export const authorizeSecurityGroup = authorize("AuthorizeSecurityGroup", "ingress");
export const authorizeSecurityGroupEgress = authorize("AuthorizeSecurityGroupEgress", "egress");

/** All rules of a call or none. A rule that is there already is a success and is not added again. */
function authorize(action: string, direction: SecurityGroupRule["direction"]) {
  return operation({
    action,
    product: "Ecs",
    writes: true,
    delay: "other",
    idempotent: true,
    schema: z.object({ SecurityGroupId: text, ClientToken: clientToken.optional(), ...permissionParameters(direction) }),
    resources: groupResource,
    run(parameters, { tx }) {
      const group = findSecurityGroup(tx, parameters.SecurityGroupId);
      const rules = [...group.rules];
      for (const permission of permissionsOf(parameters)) {
        const rule = parseRule(tx, group, direction, permission);
        if (rules.some((other) => sameRule(other, rule))) continue;
        const { Description: description = "" } = permission;
        rules.push({ ...rule, id: resourceId(tx.random, "sgr"), description, createdMs: tx.nowMs });
      }
      if (rules.length > tx.state.settings.maxRulesPerSecurityGroup) throw apiError("AuthorizationLimitExceed");
      putSecurityGroup(tx, { ...group, rules });
      return {};
    },
  });
}
