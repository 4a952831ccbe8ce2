import { z } from "zod";
import { apiError } from "../api-error.ts";
import { familyOf } from "../ip.ts";
import { text } from "../parameters.ts";
import type { SecurityGroupRule } from "../records.ts";
import { renderTime } from "../render-eni.ts";
import type { CloudState } from "../state.ts";
import { groupResource, operation } from "./operation.ts";
import { pageParameters, paginate } from "./page.ts";

const schema = z.object({
  SecurityGroupId: text,
  Direction: z.enum(["ingress", "egress", "all"]).optional(),
  NicType: text.optional(),
  MaxResults: pageParameters.MaxResults,
  NextToken: pageParameters.NextToken,
});

/** One group with its rules. */
export const describeSecurityGroupAttribute = operation({
  action: "DescribeSecurityGroupAttribute",
  product: "Ecs",
  writes: false,
  delay: "describe",
  schema,
  resources: groupResource,
  run({ SecurityGroupId: id, Direction: direction = "all", MaxResults = 500, NextToken }, { view }) {
    const group = view.table("securityGroups").get(id);
    if (group === undefined) throw apiError("InvalidSecurityGroupId.NotFound", { id });
    const found = group.rules.filter((rule) => direction === "all" || rule.direction === direction);
    const limits = { minResults: 10, maxResults: 1000, maxPageSize: 1000 };
    const page = paginate(found, (rule) => rule.id, { MaxResults, NextToken }, limits);
    return {
      RegionId: view.settings.regionId,
      VpcId: group.vpcId,
      SecurityGroupId: group.id,
      SecurityGroupName: group.name,
      Description: group.description,
      InnerAccessPolicy: group.innerAccessPolicy,
      NextToken: page.fields.NextToken,
      Permissions: { Permission: page.items.map((rule) => renderRule(view, rule)) },
    };
  },
});

function renderRule(state: CloudState, rule: SecurityGroupRule) {
  const { sourceCidr = "", destCidr = "", peerGroupId = "" } = rule;
  const ingress = rule.direction === "ingress";
  const peerName = state.table("securityGroups").get(peerGroupId)?.name ?? "";
  const ofFamily = (cidr: string, family: "ipv4" | "ipv6") => (cidr !== "" && familyOf(cidr) === family ? cidr : "");
  return {
    SecurityGroupRuleId: rule.id,
    Direction: rule.direction,
    Policy: rule.policy,
    Priority: String(rule.priority),
    IpProtocol: rule.protocol,
    PortRange: rule.portRange,
    SourcePortRange: rule.sourcePortRange ?? "",
    SourceCidrIp: ofFamily(sourceCidr, "ipv4"),
    Ipv6SourceCidrIp: ofFamily(sourceCidr, "ipv6"),
    DestCidrIp: ofFamily(destCidr, "ipv4"),
    Ipv6DestCidrIp: ofFamily(destCidr, "ipv6"),
    SourceGroupId: ingress ? peerGroupId : "",
    SourceGroupName: ingress ? peerName : "",
    DestGroupId: ingress ? "" : peerGroupId,
    DestGroupName: ingress ? "" : peerName,
    NicType: "intranet",
    Description: rule.description,
    CreateTime: renderTime(rule.createdMs),
  };
}
