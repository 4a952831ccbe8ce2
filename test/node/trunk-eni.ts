import type { Lab } from "@terway/lab";
import { until } from "@terway/lab";
import { z } from "zod";

/** What a control plane does for members of a trunk: ENIs by the cloud's OpenAPI, and the PodENI that tells the node of them. */

type World = Lab["world"];
type Machine = World["nodes"][number];

const createdSchema = z.object({ NetworkInterfaceId: z.string() });

export interface Eni {
  readonly id: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface Member extends Eni {
  readonly trunkId: string;
  readonly vlanId: number;
  readonly groupId: string;
  readonly vSwitch: World["vSwitches"][string];
}

/** Creates a trunk ENI in the machine's own vSwitch and attaches it. */
export function attachTrunk({ cloud, world }: Lab, machine: Machine): Promise<Eni> {
  return attach(cloud, { vSwitchId: machine.vSwitchId, groupId: world.securityGroupId, type: "Trunk" }, { InstanceId: machine.instanceId });
}

/** Creates an ENI in the vSwitch and the group, which the plan names, and attaches it to the trunk. */
export async function attachMember(
  { cloud, world }: Lab,
  machine: Machine,
  trunk: Eni,
  { vSwitch, group }: { vSwitch: string; group: string },
): Promise<Member> {
  const place = world.vSwitches[vSwitch];
  const groupId = world.groups[group];
  if (place === undefined || groupId === undefined) throw new Error(`the plan has no vSwitch ${vSwitch} or no group ${group}`);
  const where = { InstanceId: machine.instanceId, TrunkNetworkInstanceId: trunk.id };
  const eni = await attach(cloud, { vSwitchId: place.id, groupId, type: "Secondary" }, where);
  if (eni.deviceIndex === undefined) throw new Error(`member ${eni.id} has no tag`);
  return { ...eni, trunkId: trunk.id, vlanId: eni.deviceIndex, groupId, vSwitch: place };
}

async function attach(
  cloud: Lab["cloud"],
  { vSwitchId, groupId, type }: { vSwitchId: string; groupId: string; type: "Trunk" | "Secondary" },
  where: Readonly<Record<string, string>>,
): Promise<Eni & { deviceIndex: number | undefined }> {
  const wanted = { VSwitchId: vSwitchId, "SecurityGroupIds.1": groupId, InstanceType: type, Ipv6AddressCount: "1" };
  const id = createdSchema.parse(await cloud.call("CreateNetworkInterface", wanted)).NetworkInterfaceId;
  const seen = async () => (await cloud.state()).enis.find((eni) => eni.id === id);
  await until(`${id} is made`, 10_000, async () => (await seen())?.status === "Available");
  await cloud.call("AttachNetworkInterface", { NetworkInterfaceId: id, ...where });
  await until(`${id} is in use`, 10_000, async () => (await seen())?.status === "InUse");
  const { mac = "", ipv4: [ipv4 = ""] = [], ipv6: [ipv6 = ""] = [], deviceIndex } = (await seen()) ?? {};
  return { id, mac, ipv4, ipv6, deviceIndex };
}

/** The PodENI of a pod whose `eth0` is this member. */
export function memberPodEni(namespace: string, name: string, member: Member, vlanId = member.vlanId) {
  const { id, mac, ipv4, ipv6, trunkId, groupId, vSwitch } = member;
  const eni = { id, mac, securityGroupIDs: [groupId] };
  return {
    apiVersion: "network.alibabacloud.com/v1beta1",
    kind: "PodENI",
    metadata: { namespace, name },
    spec: {
      allocations: [{ eni, ipv4, ipv4CIDR: vSwitch.cidr, ipv6, ipv6CIDR: vSwitch.ipv6Cidr, interface: "eth0", defaultRoute: true }],
    },
    status: { phase: "Bind", trunkENIID: trunkId, eniInfos: { [id]: { id, type: "Member", vid: vlanId, status: "Bind" } } },
  };
}
