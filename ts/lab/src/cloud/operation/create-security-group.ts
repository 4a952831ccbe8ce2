import { z } from "zod";
import { apiError } from "../api-error.ts";
import { clientToken, tagList, text } from "../parameters.ts";
import { newSecurityGroup, putSecurityGroup } from "../security-groups.ts";
import { resourceId } from "../seeded-random.ts";
import { parseTags } from "../tags.ts";
import { operation } from "./operation.ts";

const schema = z.object({
  VpcId: text,
  SecurityGroupName: text.optional(),
  Description: text.optional(),
  SecurityGroupType: text.optional(),
  ResourceGroupId: text.optional(),
  Tag: tagList.optional(),
  ClientToken: clientToken.optional(),
});

const groupName = /^(?!https?:\/\/)\p{L}[\p{L}\d:_.-]{1,127}$/u;

/** A classic network, which would need no VpcId, is not simulated. */
export const createSecurityGroup = operation({
  action: "CreateSecurityGroup",
  product: "Ecs",
  writes: true,
  delay: "other",
  idempotent: true,
  schema,
  resources: () => ["securitygroup/*"],
  run({ VpcId: vpcId, SecurityGroupName: name = "", Description: description = "", SecurityGroupType: type = "normal", Tag }, { tx }) {
    if (!tx.state.table("vpcs").has(vpcId)) throw apiError("InvalidVpcId.NotFound");
    if (name !== "" && !groupName.test(name)) throw apiError("InvalidSecurityGroupName.Malformed");
    if (description !== "" && !/^(?!https?:\/\/).{2,256}$/s.test(description)) throw apiError("InvalidSecurityGroupDiscription.Malformed");
    if (type !== "normal" && type !== "enterprise") throw apiError("InvalidParams.GroupType");
    const tags = parseTags(Tag);
    if (tx.state.table("securityGroups").size >= tx.state.settings.maxSecurityGroups) throw apiError("QuotaExceed.SecurityGroup");
    const group = newSecurityGroup(tx, { id: resourceId(tx.random, "sg"), vpcId, name, description, type, tags });
    putSecurityGroup(tx, group);
    return { SecurityGroupId: group.id };
  },
});
