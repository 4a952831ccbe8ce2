import { z } from "zod";
import { freeCount } from "../address-choice.ts";
import { flag, integer, tagList, text } from "../parameters.ts";
import type { VSwitchRecord } from "../records.ts";
import { renderTime } from "../render-eni.ts";
import type { CloudState } from "../state.ts";
import { hasTags } from "../tags.ts";
import { operation } from "./operation.ts";
import { paginateByNumber } from "./page.ts";

const schema = z.object({
  VpcId: text.optional(),
  VSwitchId: text.optional(),
  ZoneId: text.optional(),
  VSwitchName: text.optional(),
  EnableIpv6: flag.optional(),
  IsDefault: flag.optional(),
  RouteTableId: text.optional(),
  ResourceGroupId: text.optional(),
  VSwitchOwnerId: text.optional(),
  DryRun: flag.optional(),
  Tag: tagList.max(20).optional(),
  PageNumber: integer(1, 1_000_000).optional(),
  PageSize: integer(1, 1000).optional(),
});

/** RegionId or VpcId must be given. An id that does not exist gives an empty list. */
export const describeVSwitches = operation({
  action: "DescribeVSwitches",
  product: "Vpc",
  writes: false,
  delay: "describe",
  regionRequired: false,
  schema,
  resources: (wire) => [`vswitch/${wire.VSwitchId ?? "*"}`],
  run(filter, { view }) {
    const same = (wanted: string | undefined, value: string) => wanted === undefined || wanted === value;
    const found = [...view.vSwitches.values()].filter(
      (vSwitch) =>
        same(filter.VpcId, vSwitch.vpcId) &&
        same(filter.VSwitchId, vSwitch.id) &&
        same(filter.ZoneId, vSwitch.zoneId) &&
        same(filter.VSwitchName, vSwitch.name) &&
        (filter.EnableIpv6 === undefined || filter.EnableIpv6 === (vSwitch.ipv6Cidr !== undefined)) &&
        filter.IsDefault !== true &&
        hasTags(vSwitch.tags, filter.Tag),
    );
    const page = paginateByNumber(found, filter, 50);
    return { ...page.fields, VSwitches: { VSwitch: page.items.map((vSwitch) => renderVSwitch(view, vSwitch)) } };
  },
});

export function renderVSwitch(state: CloudState, vSwitch: VSwitchRecord) {
  return {
    VSwitchId: vSwitch.id,
    VSwitchName: vSwitch.name,
    VpcId: vSwitch.vpcId,
    ZoneId: vSwitch.zoneId,
    Status: vSwitch.status,
    CidrBlock: vSwitch.cidr,
    Ipv6CidrBlock: vSwitch.ipv6Cidr ?? "",
    EnabledIpv6: vSwitch.ipv6Cidr !== undefined,
    AvailableIpAddressCount: vSwitch.reportedFree ?? Number(freeCount(state, vSwitch, "ipv4")),
    IsDefault: false,
    Description: "",
    ResourceGroupId: "",
    OwnerId: Number(state.settings.accountId),
    ShareType: "",
    NetworkAclId: "",
    CreationTime: renderTime(vSwitch.createdMs),
    // Unlike ECS, VPC writes Key and Value in answers, too.
    Tags: { Tag: Object.entries(vSwitch.tags).map(([Key, Value]) => ({ Key, Value })) },
  };
}
