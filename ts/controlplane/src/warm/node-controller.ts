import { CloudError, type NetworkInterface } from "@terway/model";
import { changesOf } from "../cluster/enqueue.ts";
import { networkInterfaces } from "../cluster/kinds.ts";
import { eniFinalizer, eniTags, limitAnnotation, lostAnnotation, relatedNodeLabel, warmAnnotation } from "../cluster/marks.ts";
import { type NodeFacts, nodeFacts } from "../cluster/node-facts.ts";
import { create, patchStatus, remove } from "../cluster/write.ts";
import { type Controller, keyedController } from "../runtime/controller.ts";
import { InFlight } from "../runtime/in-flight.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import { type Combination, combinationOf, isWarm, keyOfCombination } from "./combination.ts";

const name = "node";
/** Without a pod of its kind for so long, a warm member goes. */
const keptMs = 10 * 60_000;
/** After a limit at the cloud: what is there is for pods. */
const limitedMs = 5 * 60_000;

interface Used {
  readonly combination: Combination;
  readonly untilMs: number;
}

/**
 * Keeps members attached to a node's trunk that no pod has yet, `warmMemberENIs` for each combination of security groups and vSwitch that pods of the node have:
 * the next such pod need not wait for the cloud. They give way wherever the cloud sets a limit.
 */
export function openNodeController(parts: ControllerParts): Controller {
  const { informers, client, cloud, clock, random, config, vSwitches } = parts;
  const interfaces = informers.networkInterfaces.objects;
  const making = new InFlight();
  const used = new Map<string, Map<string, Used>>();
  const limitedUntilMs = new Map<string, number>();

  async function reconcile(key: string): Promise<number | undefined> {
    const own = interfaces.by("node", key);
    const warm = own.filter(isWarm);
    const facts = nodeFacts(informers.nodes.objects.get(key), key, config.nodeLabels);
    const isLimited = own.some(({ metadata }) => metadata.annotations?.[limitAnnotation] !== undefined);
    if (isLimited) limitedUntilMs.set(key, clock.monotonicMs() + limitedMs);
    const restMs = (limitedUntilMs.get(key) ?? 0) - clock.monotonicMs();
    if (typeof facts === "string" || facts.exclusive || facts.trunkId === undefined || restMs > 0 || config.warmMembers === 0) {
      for (const one of warm) await giveUp(one);
      if (typeof facts === "string") used.delete(key);
      return restMs > 0 ? restMs : undefined;
    }
    const wanted = combinations(key);
    const counts = new Map<string, number>();
    for (const one of warm) {
      const combination = one.spec?.eni && combinationOf({ eni: one.spec.eni, ipv6: one.spec.ipv6 });
      const of = combination === undefined ? "" : keyOfCombination(combination);
      const count = (counts.get(of) ?? 0) + 1;
      counts.set(of, count);
      if (!wanted.has(of) || count > config.warmMembers || isUseless(one, facts)) await giveUp(one);
    }
    const lacking = [...wanted].find(([of]) => (counts.get(of) ?? 0) < config.warmMembers);
    if (lacking !== undefined) making.start(key, (signal) => make(lacking[1].combination, facts, signal), controller.enqueue);
    const ends = [...wanted.values()].map(({ untilMs }) => untilMs - clock.monotonicMs());
    return ends.length === 0 ? undefined : Math.max(1_000, Math.min(...ends));
  }

  /** Unless a pod takes it at this moment. */
  const giveUp = (one: NetworkInterface) => remove(client, networkInterfaces.resource, one, true);

  /** It went at the cloud, or it is on a trunk that is not the node's any more. */
  const isUseless = ({ metadata, status }: NetworkInterface, { trunkId }: NodeFacts) =>
    metadata.annotations?.[lostAnnotation] !== undefined || (Boolean(status?.trunkENIID) && status?.trunkENIID !== trunkId);

  /** What pods of the node have, or had a short while ago. */
  function combinations(key: string): ReadonlyMap<string, Used> {
    const nowMs = clock.monotonicMs();
    const known = used.get(key) ?? new Map<string, Used>();
    for (const { spec } of informers.podEnis.objects.by("node", key))
      for (const allocation of spec.allocations ?? []) {
        const combination = combinationOf(allocation);
        if (combination !== undefined) known.set(keyOfCombination(combination), { combination, untilMs: nowMs + keptMs });
      }
    for (const [of, { untilMs }] of known) if (untilMs <= nowMs) known.delete(of);
    used.set(key, known);
    return known;
  }

  /** One that is made and not written down has no reference, and is collected by its tags. */
  async function make(combination: Combination, node: NodeFacts, signal: AbortSignal): Promise<void> {
    const { vSwitchId, securityGroupIds, resourceGroupId, ipv6 } = combination;
    const [vSwitch] = await vSwitches.read([vSwitchId]);
    if (vSwitch === undefined || vSwitch.zoneId !== node.zoneId) return;
    const eni = await cloud
      .createEni(
        {
          ...{ vSwitchId, securityGroupIds, type: "Secondary", secondaryIpv4Count: 0, ipv6Count: ipv6 ? 1 : 0 },
          ...{ tags: eniTags(config.clusterId), deleteOnRelease: true, clientToken: random.uuid() },
          ...(resourceGroupId === "" ? {} : { resourceGroupId }),
        },
        signal,
      )
      .catch((error: unknown) => {
        if (error instanceof CloudError && (error.class === "quota" || error.class === "exhausted"))
          limitedUntilMs.set(node.name, clock.monotonicMs() + limitedMs);
        throw error;
      });
    vSwitches.took(vSwitchId);
    const [address6] = eni.ipv6;
    await create(client, networkInterfaces.resource, {
      metadata: {
        ...{ name: eni.id, labels: { [relatedNodeLabel]: node.name }, finalizers: [eniFinalizer] },
        annotations: { [warmAnnotation]: "true" },
      },
      spec: {
        eni: {
          ...{
            id: eni.id,
            vpcID: config.vpcId,
            mac: eni.mac,
            zone: eni.zoneId,
            vSwitchID: vSwitchId,
            securityGroupIDs: [...eni.securityGroupIds],
          },
          ...(resourceGroupId === "" ? {} : { resourceGroupID: resourceGroupId }),
          attachmentOptions: { trunk: true },
        },
        ...{ ipv4: eni.primaryIpv4, ipv4CIDR: vSwitch.cidr },
        ...(address6 === undefined ? {} : { ipv6: address6, ipv6CIDR: vSwitch.ipv6Cidr ?? "" }),
      },
    });
  }

  /** Says where a new one goes; it may have been written by whoever led before. */
  async function send(one: NetworkInterface): Promise<void> {
    const nodeName = one.metadata.labels?.[relatedNodeLabel] ?? "";
    const facts = nodeFacts(informers.nodes.objects.get(nodeName), nodeName, config.nodeLabels);
    if (typeof facts === "string" || facts.trunkId === undefined) return;
    const { instanceId: instanceID, trunkId: trunkENIID } = facts;
    await patchStatus(client, networkInterfaces.resource, one, {
      phase: "Binding",
      instanceID,
      trunkENIID,
      nodeName,
      eniInfo: { id: one.metadata.name },
    });
  }

  const nodeOf = ({ metadata }: { readonly metadata: { readonly labels?: Readonly<Record<string, string>> | undefined } }) =>
    [metadata.labels?.[relatedNodeLabel] ?? ""].filter((one) => one !== "");
  const controller = keyedController({
    ...parts,
    name,
    workers: config.workers.node,
    reconcile: async (key, signal) => {
      if (signal.aborted) return undefined;
      for (const one of interfaces.by("node", key)) if (isWarm(one) && (one.status?.phase ?? "") === "") await send(one);
      return reconcile(key);
    },
    sources: [changesOf(informers.nodes.objects), changesOf(informers.podEnis.objects, nodeOf), changesOf(interfaces, nodeOf)],
  });
  return {
    ...controller,
    async stop() {
      making.stop();
      await controller.stop();
    },
  };
}
