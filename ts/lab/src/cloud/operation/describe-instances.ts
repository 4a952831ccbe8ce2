import { z } from "zod";
import { attachedTo } from "../eni.ts";
import { limitsOf } from "../instance-types.ts";
import { tagList, text } from "../parameters.ts";
import type { Instance } from "../records.ts";
import { renderTime } from "../render-eni.ts";
import type { CloudState } from "../state.ts";
import { hasTags, tagSet } from "../tags.ts";
import { parseIdList } from "./instance-ids.ts";
import { operation } from "./operation.ts";
import { pageParameters, paginate } from "./page.ts";

const schema = z.object({
  InstanceIds: text.optional(),
  VpcId: text.optional(),
  VSwitchId: text.optional(),
  ZoneId: text.optional(),
  InstanceType: text.optional(),
  InstanceName: text.optional(),
  Status: z.enum(["Pending", "Starting", "Running", "Stopping", "Stopped"]).optional(),
  SecurityGroupId: text.optional(),
  Tag: tagList.max(20).optional(),
  ...pageParameters,
});

export const describeInstances = operation({
  action: "DescribeInstances",
  product: "Ecs",
  writes: false,
  delay: "describe",
  schema,
  run(filter, { view }) {
    const ids = parseIdList("InstanceIds", filter.InstanceIds);
    const same = (wanted: string | undefined, value: string) => wanted === undefined || wanted === value;
    const found = [...view.instances.values()].filter(
      (instance) =>
        (ids === undefined || ids.includes(instance.id)) &&
        same(filter.VpcId, instance.vpcId) &&
        same(filter.VSwitchId, instance.vSwitchId) &&
        same(filter.ZoneId, instance.zoneId) &&
        same(filter.InstanceType, instance.type) &&
        same(filter.InstanceName, instance.name) &&
        same(filter.Status, instance.status) &&
        (filter.SecurityGroupId === undefined || instance.securityGroupIds.includes(filter.SecurityGroupId)) &&
        hasTags(instance.tags, filter.Tag),
    );
    const page = paginate(found, (instance) => instance.id, filter, { minResults: 1, maxResults: 100, maxPageSize: 100 });
    return { ...page.fields, Instances: { Instance: page.items.map((instance) => render(view, instance)) } };
  },
});

function render(state: CloudState, instance: Instance) {
  const enis = attachedTo(state, instance.id);
  const primary = enis.find((eni) => eni.id === instance.primaryEniId);
  const { cpus, memoryGib } = limitsOf(instance.type);
  return {
    InstanceId: instance.id,
    InstanceName: instance.name,
    HostName: instance.hostname,
    InstanceType: instance.type,
    InstanceTypeFamily: instance.type.split(".").slice(0, -1).join("."),
    InstanceNetworkType: "vpc",
    Status: instance.status,
    RegionId: state.settings.regionId,
    ZoneId: instance.zoneId,
    CreationTime: renderTime(instance.createdMs),
    ...(cpus === undefined ? {} : { Cpu: cpus }),
    ...(memoryGib === undefined ? {} : { Memory: memoryGib * 1024 }),
    VpcAttributes: {
      VpcId: instance.vpcId,
      VSwitchId: instance.vSwitchId,
      PrivateIpAddress: { IpAddress: primary === undefined ? [] : [primary.primaryIpv4] },
    },
    NetworkInterfaces: {
      NetworkInterface: enis.map((eni) => ({
        NetworkInterfaceId: eni.id,
        MacAddress: eni.mac,
        PrimaryIpAddress: eni.primaryIpv4,
        Type: eni.type,
        PrivateIpSets: { PrivateIpSet: eni.ipv4.map((address) => ({ PrivateIpAddress: address, Primary: address === eni.primaryIpv4 })) },
        Ipv6Sets: { Ipv6Set: eni.ipv6.map((address) => ({ Ipv6Address: address })) },
      })),
    },
    SecurityGroupIds: { SecurityGroupId: [...instance.securityGroupIds] },
    Tags: tagSet(instance.tags),
  };
}
