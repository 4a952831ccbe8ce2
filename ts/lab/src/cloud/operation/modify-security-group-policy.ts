import { z } from "zod";
import { apiError } from "../api-error.ts";
import { clientToken, text } from "../parameters.ts";
import { findSecurityGroup, putSecurityGroup } from "../security-groups.ts";
import { groupResource, operation } from "./operation.ts";
import { parsePolicy } from "./rule-parameters.ts";

const schema = z.object({ SecurityGroupId: text, InnerAccessPolicy: text, ClientToken: clientToken.optional() });

/** Accept: members of the group reach each other whatever its rules say. Drop: only the rules count. */
export const modifySecurityGroupPolicy = operation({
  action: "ModifySecurityGroupPolicy",
  product: "Ecs",
  writes: true,
  delay: "other",
  idempotent: true,
  schema,
  resources: groupResource,
  run({ SecurityGroupId: id, InnerAccessPolicy: given }, { tx }) {
    const innerAccessPolicy = parsePolicy("InnerAccessPolicy", given);
    const group = findSecurityGroup(tx, id);
    if (group.type === "enterprise") throw apiError("InvalidOperation.EnterpriseGroupInnerAccess");
    putSecurityGroup(tx, { ...group, innerAccessPolicy });
    return {};
  },
});
