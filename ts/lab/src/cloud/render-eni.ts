import type { NetworkInterface } from "./records.ts";
import type { CloudState } from "./state.ts";
import { tagSet } from "./tags.ts";

/** Times are written to the second, in UTC. */
export function renderTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** The fields that the answers to Create, Describe and DescribeAttribute share. */
export function renderEni(state: CloudState, eni: NetworkInterface) {
  const { settings } = state;
  return {
    NetworkInterfaceId: eni.id,
    NetworkInterfaceName: eni.name,
    Description: eni.description,
    Status: eni.status,
    Type: eni.type,
    MacAddress: eni.mac,
    PrivateIpAddress: eni.primaryIpv4,
    PrivateIpSets: { PrivateIpSet: eni.ipv4.map((address) => ({ PrivateIpAddress: address, Primary: address === eni.primaryIpv4 })) },
    Ipv6Sets: { Ipv6Set: eni.ipv6.map((address) => ({ Ipv6Address: address })) },
    Ipv4PrefixSets: { Ipv4PrefixSet: eni.ipv4Prefixes.map((prefix) => ({ Ipv4Prefix: prefix })) },
    Ipv6PrefixSets: { Ipv6PrefixSet: eni.ipv6Prefixes.map((prefix) => ({ Ipv6Prefix: prefix })) },
    SecurityGroupIds: { SecurityGroupId: [...eni.securityGroupIds] },
    Tags: tagSet(eni.tags),
    VSwitchId: eni.vSwitchId,
    VpcId: eni.vpcId,
    ZoneId: eni.zoneId,
    OwnerId: settings.accountId,
    ResourceGroupId: eni.resourceGroupId,
    SourceDestCheck: eni.sourceDestCheck,
    ServiceManaged: eni.serviceManaged,
    ServiceID: 0,
  };
}

/** An entry of DescribeNetworkInterfaces. */
export function renderListedEni(state: CloudState, eni: NetworkInterface) {
  const { instanceId = "", trunkId, deviceIndex } = eni;
  return {
    ...renderEni(state, eni),
    // A member shows its instance only in the attachment.
    InstanceId: eni.type === "Member" ? "" : instanceId,
    Attachment:
      instanceId === ""
        ? {}
        : {
            InstanceId: instanceId,
            NetworkCardIndex: 0,
            ...(deviceIndex === undefined ? {} : { DeviceIndex: deviceIndex }),
            ...(trunkId === undefined ? {} : { TrunkNetworkInterfaceId: trunkId }),
          },
    AssociatedPublicIp: {},
    NetworkInterfaceTrafficMode: eni.trafficMode,
    CreationTime: renderTime(eni.createdMs),
    DeleteOnRelease: eni.deleteOnRelease,
    ...(eni.queueNumber === undefined ? {} : { QueueNumber: eni.queueNumber }),
  };
}
