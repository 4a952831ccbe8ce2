import { z } from "zod";
import type { CloudSimulator } from "../cloud/simulator.ts";

/** A rule in the words of AuthorizeSecurityGroup; `PortRange` defaults to `-1/-1`, and groups are named as in the plan. */
export const rulePlanSchema = z.object({ IpProtocol: z.string() }).catchall(z.union([z.string(), z.number()]));
export type RulePlan = z.infer<typeof rulePlanSchema>;

export const groupPlanSchema = z.object({
  type: z.enum(["normal", "enterprise"]).optional(),
  innerAccess: z.enum(["Accept", "Drop"]).optional(),
  ingress: z.array(rulePlanSchema).optional(),
  egress: z.array(rulePlanSchema).optional(),
});
export type GroupPlan = z.infer<typeof groupPlanSchema>;

/** Makes the groups by the calls that a client makes. Answers their ids by the plan's names; with `named`, the name is the id. */
export async function makeGroups(
  simulator: CloudSimulator,
  vpcId: string,
  plans: Readonly<Record<string, GroupPlan>>,
  { named = false } = {},
): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  for (const [name, { type = "normal" }] of Object.entries(plans)) {
    ids[name] = simulator.createSecurityGroup({ vpcId, name, type, ...(named ? { id: name } : {}) }).id;
  }
  // When all groups exist: a rule may name one that comes later.
  for (const [name, { innerAccess, ingress = [], egress = [] }] of Object.entries(plans)) {
    const SecurityGroupId = ids[name] ?? "";
    if (innerAccess !== undefined) await simulator.call("ModifySecurityGroupPolicy", { SecurityGroupId, InnerAccessPolicy: innerAccess });
    if (ingress.length > 0) await simulator.call("AuthorizeSecurityGroup", { SecurityGroupId, ...permissions(ingress, ids) });
    if (egress.length > 0) await simulator.call("AuthorizeSecurityGroupEgress", { SecurityGroupId, ...permissions(egress, ids) });
  }
  return ids;
}

function permissions(rules: readonly RulePlan[], ids: Readonly<Record<string, string>>): Record<string, string> {
  const entries = rules.flatMap((rule, index) =>
    Object.entries({ PortRange: "-1/-1", ...rule }).map(([name, value]) => {
      const text = name.endsWith("GroupId") ? (ids[value] ?? String(value)) : String(value);
      return [`Permissions.${index + 1}.${name}`, text];
    }),
  );
  return Object.fromEntries(entries);
}
