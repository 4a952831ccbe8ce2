import { type KubeClient, mergePatch } from "@terway/kube";
import {
  type Clock,
  CloudError,
  type Eni,
  type MemberCloud,
  type PodEni,
  type PodEniAllocation,
  type Random,
  type VSwitch,
} from "@terway/model";
import type { Informers } from "../cluster/informers.ts";
import { networkInterfaces, podEnis } from "../cluster/kinds.ts";
import { eniFinalizer, eniTags, intentAnnotation, relatedNodeLabel } from "../cluster/marks.ts";
import type { NodeFacts } from "../cluster/node-facts.ts";
import { create, patch } from "../cluster/write.ts";
import type { VSwitches } from "../runtime/v-switches.ts";
import { takeWarm } from "../warm/take-warm.ts";
import { intentText, type WantedEni } from "./intent.ts";
import { nextVSwitch } from "./plan-enis.ts";

export interface CreateParts {
  readonly client: KubeClient;
  readonly cloud: MemberCloud;
  readonly vSwitches: VSwitches;
  readonly clock: Clock;
  readonly random: Random;
  readonly informers: { readonly networkInterfaces: Informers["networkInterfaces"] };
  readonly config: { readonly clusterId: string; readonly vpcId: string; readonly warmMembers: number };
}

/**
 * Creates what the intent says and writes it down: a NetworkInterface for each ENI, then the allocations of the PodENI. Whatever was done before by whomever is
 * found again by the tokens. A vSwitch that turns out to be full is replaced in the intent, with a new token, before the next try. Answers the ENIs.
 */
export async function createEnis(
  parts: CreateParts,
  podEni: PodEni,
  wanted: readonly WantedEni[],
  node: NodeFacts,
  signal: AbortSignal,
): Promise<Eni[]> {
  const { client, vSwitches, config } = parts;
  const warm = config.warmMembers === 0 ? [] : await takeWarm(parts, podEni, wanted, node, vSwitches);
  const known = await vSwitches.read(
    wanted.flatMap(({ vSwitchId }, index) => [vSwitchId, ...(warm[index] ? [warm[index].vSwitchId] : [])]),
  );
  const outcomes = await Promise.allSettled(wanted.map(async (one, index) => warm[index] ?? createEni(parts, one, known, signal)));
  const changed = await Promise.all(
    outcomes.map(async (outcome, index) => {
      const one = wanted[index];
      if (one === undefined || outcome.status === "fulfilled" || !isFull(outcome.reason)) return one;
      vSwitches.exhausted(one.vSwitchId);
      return { ...one, vSwitchId: await nextVSwitch(vSwitches, one, node.zoneId), token: parts.random.uuid() };
    }),
  );
  if (changed.some((one, index) => one !== wanted[index])) {
    const next = changed.flatMap((one) => one ?? []);
    await patch(client, podEnis.resource, podEni, { metadata: { annotations: { [intentAnnotation]: intentText(next) } } });
  }
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const enis = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const allocations = enis.map((eni, index) => allocationOf(wanted[index], eni, known, config.vpcId));
  await Promise.all(enis.map((eni, index) => writeInterface(client, podEni, eni, allocations[index], node)));
  await patch(client, podEnis.resource, podEni, {
    metadata: { annotations: { [intentAnnotation]: null } },
    spec: { allocations },
  });
  return enis;
}

function isFull(error: unknown): boolean {
  return error instanceof CloudError && error.class === "exhausted";
}

async function createEni(
  { cloud, vSwitches, config }: CreateParts,
  wanted: WantedEni,
  known: readonly VSwitch[],
  signal: AbortSignal,
): Promise<Eni> {
  const { vSwitchId, securityGroupIds, resourceGroupId, primaryIpv4, trafficMode, allocation, token } = wanted;
  const ipv6 = wanted.ipv6 && known.find(({ id }) => id === vSwitchId)?.ipv6Cidr !== undefined;
  const eni = await cloud.createEni(
    {
      ...{ vSwitchId, securityGroupIds, type: "Secondary", secondaryIpv4Count: 0, ipv6Count: ipv6 ? 1 : 0 },
      tags: eniTags(config.clusterId),
      ...(resourceGroupId === undefined ? {} : { resourceGroupId }),
      ...(primaryIpv4 === undefined ? {} : { primaryIpv4 }),
      ...(trafficMode === undefined ? {} : { trafficMode }),
      // An address that is to outlive its pod outlives the instance, too.
      deleteOnRelease: allocation.type !== "Fixed",
      clientToken: token,
    },
    signal,
  );
  vSwitches.took(vSwitchId);
  return eni;
}

function allocationOf(wanted: WantedEni | undefined, eni: Eni, known: readonly VSwitch[], vpcID: string): PodEniAllocation {
  const vSwitch = known.find(({ id }) => id === eni.vSwitchId);
  const [ipv6] = eni.ipv6;
  return {
    ...(wanted?.allocation.type === undefined ? {} : { allocationType: wanted.allocation }),
    eni: {
      ...{ id: eni.id, vpcID, mac: eni.mac, zone: eni.zoneId, vSwitchID: eni.vSwitchId, securityGroupIDs: [...eni.securityGroupIds] },
      ...(wanted?.resourceGroupId === undefined ? {} : { resourceGroupID: wanted.resourceGroupId }),
      attachmentOptions: { trunk: wanted?.trunk ?? false },
    },
    ipv4: eni.primaryIpv4,
    ipv4CIDR: vSwitch?.cidr ?? "",
    ...(ipv6 === undefined ? {} : { ipv6, ipv6CIDR: vSwitch?.ipv6Cidr ?? "" }),
    interface: wanted?.ifName ?? "eth0",
    defaultRoute: wanted?.defaultRoute ?? false,
    ...(wanted === undefined || wanted.extraRoutes.length === 0 ? {} : { extraRoutes: wanted.extraRoutes.map((dst) => ({ dst })) }),
  };
}

async function writeInterface(
  client: KubeClient,
  podEni: PodEni,
  { id }: Eni,
  allocation: PodEniAllocation | undefined,
  node: NodeFacts,
): Promise<void> {
  if (allocation === undefined) return;
  const { eni, ipv4, ipv6, ipv4CIDR, ipv6CIDR } = allocation;
  const { namespace, name, uid } = podEni.metadata;
  const body = {
    metadata: { name: id, labels: { [relatedNodeLabel]: node.name }, finalizers: [eniFinalizer] },
    spec: { eni, ipv4, ipv6, ipv4CIDR, ipv6CIDR, podENIRef: { kind: "Pod", namespace, name, uid } },
  };
  if (await create(client, networkInterfaces.resource, body)) return;
  // Written by an earlier try.
  await mergePatch(client, { resource: networkInterfaces.resource, name: id }, body, "terway-controlplane");
}
