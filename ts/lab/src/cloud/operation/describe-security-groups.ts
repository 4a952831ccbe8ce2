import { z } from "zod";
import { flag, tagList, text } from "../parameters.ts";
import { renderTime } from "../render-eni.ts";
import { usage } from "../security-groups.ts";
import { hasTags, tagSet } from "../tags.ts";
import { parseIdList } from "./instance-ids.ts";
import { operation } from "./operation.ts";
import { pageParameters, paginate } from "./page.ts";

const schema = z.object({
  VpcId: text.optional(),
  SecurityGroupId: text.optional(),
  SecurityGroupIds: text.optional(),
  SecurityGroupName: text.optional(),
  SecurityGroupType: z.enum(["normal", "enterprise"]).optional(),
  IsQueryEcsCount: flag.optional(),
  Tag: tagList.max(20).optional(),
  ...pageParameters,
});

export const describeSecurityGroups = operation({
  action: "DescribeSecurityGroups",
  product: "Ecs",
  writes: false,
  delay: "describe",
  schema,
  run(filter, { view }) {
    const ids = parseIdList("SecurityGroupIds", filter.SecurityGroupIds);
    const same = (wanted: string | undefined, value: string) => wanted === undefined || wanted === value;
    const found = [...view.table("securityGroups").values()].filter(
      (group) =>
        (ids === undefined || ids.includes(group.id)) &&
        same(filter.SecurityGroupId, group.id) &&
        same(filter.VpcId, group.vpcId) &&
        same(filter.SecurityGroupName, group.name) &&
        same(filter.SecurityGroupType, group.type) &&
        hasTags(group.tags, filter.Tag),
    );
    const page = paginate(found, (group) => group.id, filter, { minResults: 10, maxResults: 100, maxPageSize: 100 });
    const groups = page.items.map((group) => ({
      SecurityGroupId: group.id,
      SecurityGroupName: group.name,
      SecurityGroupType: group.type,
      Description: group.description,
      VpcId: group.vpcId,
      CreationTime: renderTime(group.createdMs),
      ServiceManaged: false,
      ResourceGroupId: "",
      AvailableInstanceAmount: group.capacity - usage(view, group),
      RuleCount: group.rules.length,
      GroupToGroupRuleCount: group.rules.filter((rule) => rule.peerGroupId !== undefined).length,
      Tags: tagSet(group.tags),
      ...(filter.IsQueryEcsCount === true
        ? { EcsCount: [...view.instances.values()].filter((instance) => instance.securityGroupIds.includes(group.id)).length }
        : {}),
    }));
    return { ...page.fields, RegionId: view.settings.regionId, SecurityGroups: { SecurityGroup: groups } };
  },
});
