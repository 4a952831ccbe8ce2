import { z } from "zod";
import { canonicalAddress } from "../ip.ts";
import { flag, list, tagList, text } from "../parameters.ts";
import type { NetworkInterface } from "../records.ts";
import { renderListedEni } from "../render-eni.ts";
import { hasTags } from "../tags.ts";
import { operation } from "./operation.ts";
import { pageParameters, paginate } from "./page.ts";

const schema = z.object({
  NetworkInterfaceId: list(100).optional(),
  InstanceId: text.optional(),
  Type: z.enum(["Primary", "Secondary", "Trunk", "Member"]).optional(),
  Status: z.enum(["Available", "Attaching", "InUse", "Detaching", "Deleting"]).optional(),
  VpcId: text.optional(),
  VSwitchId: text.optional(),
  SecurityGroupId: text.optional(),
  PrimaryIpAddress: text.optional(),
  PrivateIpAddress: list(100).optional(),
  Ipv6Address: list(100).optional(),
  NetworkInterfaceName: text.optional(),
  Tag: tagList.max(20).optional(),
  ResourceGroupId: text.optional(),
  ServiceManaged: flag.optional(),
  ...pageParameters,
});
type Filter = z.infer<typeof schema>;

/** Ids that do not exist give an empty list, not an error. */
export const describeNetworkInterfaces = operation({
  action: "DescribeNetworkInterfaces",
  product: "Ecs",
  writes: false,
  delay: "describe",
  schema,
  run(filter, { view }) {
    const found = [...view.enis.values()].filter((eni) => passes(eni, filter));
    const page = paginate(found, (eni) => eni.id, filter, { minResults: 10, maxResults: 500, maxPageSize: 100 });
    return { ...page.fields, NetworkInterfaceSets: { NetworkInterfaceSet: page.items.map((eni) => renderListedEni(view, eni)) } };
  },
});

function passes(eni: NetworkInterface, filter: Filter): boolean {
  const same = (wanted: string | undefined, value: string) => wanted === undefined || wanted === value;
  const oneOf = (wanted: readonly string[] | undefined, values: readonly string[]) =>
    wanted === undefined || wanted.some((address) => values.includes(canonicalAddress(address) ?? address));
  return (
    (filter.NetworkInterfaceId === undefined || filter.NetworkInterfaceId.includes(eni.id)) &&
    // Members belong to the trunk: the query by instance does not list them.
    (filter.InstanceId === undefined || (eni.instanceId === filter.InstanceId && eni.type !== "Member")) &&
    same(filter.Type, eni.type) &&
    same(filter.Status, eni.status) &&
    same(filter.VpcId, eni.vpcId) &&
    same(filter.VSwitchId, eni.vSwitchId) &&
    (filter.SecurityGroupId === undefined || (eni.type !== "Primary" && eni.securityGroupIds.includes(filter.SecurityGroupId))) &&
    same(filter.PrimaryIpAddress, eni.primaryIpv4) &&
    oneOf(filter.PrivateIpAddress, eni.ipv4) &&
    oneOf(filter.Ipv6Address, eni.ipv6) &&
    same(filter.NetworkInterfaceName, eni.name) &&
    hasTags(eni.tags, filter.Tag) &&
    same(filter.ResourceGroupId, eni.resourceGroupId) &&
    (filter.ServiceManaged === undefined || filter.ServiceManaged === eni.serviceManaged)
  );
}
