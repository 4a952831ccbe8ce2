import { read } from "@terway/kube";
import { CloudError, type NetworkInterface, type PodEni, type PodEniAllocation, parseGoDuration } from "@terway/model";
import { changesOf } from "../cluster/enqueue.ts";
import { networkInterfaces, podEnis } from "../cluster/kinds.ts";
import { eniFinalizer, eniTags, oldPodEniFinalizer, podEniFinalizer, podUidAnnotation, relatedNodeLabel } from "../cluster/marks.ts";
import { type NodeFacts, nodeFacts } from "../cluster/node-facts.ts";
import { create, patchStatus, releaseFinalizers, remove } from "../cluster/write.ts";
import { openGarbageCollector } from "../garbage/collector.ts";
import { eniConfOf } from "../network/defaults.ts";
import { intentOf } from "../pod/intent.ts";
import { type Controller, keyedController } from "../runtime/controller.ts";
import { openEvents } from "../runtime/events.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import { Trunks } from "./trunks.ts";

const name = "pod-eni";

/** An object was edited into something that cannot be worked with; the message names the field. */
class Unusable extends Error {
  override readonly name: string = "Unusable";
}
/** On its way; to be mended by somebody. */
const trunkRetryMs = { waits: 500, none: 10_000 } as const;

/** Leads each PodENI through its phases, by way of the NetworkInterfaces of its ENIs; it waits for nothing but their changes. */
export function openPodEniController(parts: ControllerParts): Controller {
  const { informers, client, cloud, clock, config } = parts;
  const { objects } = informers.podEnis;
  const interfaces = informers.networkInterfaces.objects;
  const events = openEvents({ ...parts, controller: name });
  const trunks = new Trunks(parts);

  async function reconcile(key: string): Promise<number | undefined> {
    const podEni = objects.get(key);
    if (podEni === undefined) return undefined;
    try {
      return await step(podEni);
    } catch (error) {
      if (error instanceof Unusable) await tell(podEni, error.message);
      throw error;
    }
  }

  /** Says in the PodENI and at its pod what somebody has to mend. */
  async function tell(podEni: PodEni, problem: string): Promise<void> {
    events.emit("ResourceInvalid", subjectOf(podEni), problem);
    if (podEni.status?.msg !== problem) await patchStatus(client, podEnis.resource, podEni, { msg: problem });
  }

  async function step(podEni: PodEni): Promise<number | undefined> {
    if (podEni.metadata.deletionTimestamp !== undefined) return end(podEni);
    const allocations = podEni.spec.allocations ?? [];
    switch (podEni.status?.phase ?? "") {
      case "":
      case "Binding":
        return allocations.length === 0 ? undefined : bind(podEni, allocations);
      case "Detaching":
        return unbind(podEni, allocations);
      case "Unbind":
        return expire(podEni, allocations);
      case "Deleting":
        await remove(client, podEnis.resource, podEni);
        return undefined;
      default:
        return undefined;
    }
  }

  async function bind(podEni: PodEni, allocations: readonly PodEniAllocation[]): Promise<number | undefined> {
    const nodeName = podEni.metadata.labels?.[relatedNodeLabel] ?? "";
    const node = nodeFacts(informers.nodes.objects.get(nodeName), nodeName, config.nodeLabels);
    if (typeof node === "string") throw new Unusable(`metadata.labels[${relatedNodeLabel}]: ${node}`);
    const members = allocations.some(({ eni }) => eni.attachmentOptions?.trunk === true);
    const trunk = members
      ? await trunkOf(node).catch((error: unknown) => {
          if (error instanceof CloudError)
            events.emit("AttachENIFailed", subjectOf(podEni), `the trunk ENI of node ${node.name}: ${error.message}`);
          throw error;
        })
      : undefined;
    if (trunk?.kind === "none") events.emit("AttachENIFailed", subjectOf(podEni), trunk.problem);
    if (trunk !== undefined && trunk.kind !== "ready") return trunkRetryMs[trunk.kind];
    const trunkId = trunk?.id;
    const states = await Promise.all(allocations.map((allocation) => bindOne(podEni, allocation, node, trunkId)));
    if (states.some((state) => state === undefined)) return undefined;
    const eniInfos = Object.fromEntries(
      states.flatMap((state) => (state === undefined ? [] : [[state.metadata.name, state.status?.eniInfo]])),
    );
    await patchStatus(client, podEnis.resource, podEni, {
      ...{ phase: "Bind", instanceID: node.instanceId, trunkENIID: trunkId ?? "", msg: "", eniInfos },
    });
    return undefined;
  }

  function trunkOf(facts: NodeFacts) {
    const node = informers.nodes.objects.get(facts.name);
    if (node === undefined) throw new Error(`node ${facts.name} is not known`);
    return trunks.of(facts, node, eniConfOf(informers.configMaps.objects, node));
  }

  /** Undefined when there is none. One that nobody can read is not none: its ENI may be anywhere. */
  function known(id: string): NetworkInterface | undefined {
    if (informers.networkInterfaces.unreadable.has(id)) throw new Unusable(`NetworkInterface ${id} cannot be read; its own events say why`);
    return interfaces.get(id);
  }

  /** Tells the ENI where to go; answers it when it is there. */
  async function bindOne(
    podEni: PodEni,
    allocation: PodEniAllocation,
    node: NodeFacts,
    trunkId: string | undefined,
  ): Promise<NetworkInterface | undefined> {
    const one = known(allocation.eni.id);
    if (one === undefined) {
      await adopt(podEni, allocation);
      return undefined;
    }
    const trunkENIID = allocation.eni.attachmentOptions?.trunk === true ? (trunkId ?? "") : "";
    const { phase, instanceID, trunkENIID: at = "" } = one.status ?? {};
    const told = instanceID === node.instanceId && at === trunkENIID;
    if (phase === "Bind" && told) return one;
    // On its way off another node: it is told when it is free.
    if (phase === "Detaching") return undefined;
    if (phase === "Bind") await patchStatus(client, networkInterfaces.resource, one, { phase: "Detaching" });
    else if (phase !== "Binding" || !told) {
      await patchStatus(client, networkInterfaces.resource, one, {
        ...{ phase: "Binding", instanceID: node.instanceId, trunkENIID, nodeName: node.name, eniInfo: { id: allocation.eni.id } },
      });
    }
    return undefined;
  }

  /** The NetworkInterface of an ENI that a PodENI of an older release, or of somebody's hand, names. */
  async function adopt(
    { metadata: { namespace, name: podName, uid, labels } }: PodEni,
    { eni, ipv4, ipv6, ipv4CIDR, ipv6CIDR }: PodEniAllocation,
  ) {
    await create(client, networkInterfaces.resource, {
      metadata: { name: eni.id, finalizers: [eniFinalizer], labels: { [relatedNodeLabel]: labels?.[relatedNodeLabel] ?? "" } },
      spec: { eni, ipv4, ipv6, ipv4CIDR, ipv6CIDR, podENIRef: { kind: "Pod", namespace, name: podName, uid } },
    });
  }

  async function unbind(podEni: PodEni, allocations: readonly PodEniAllocation[]): Promise<undefined> {
    const own = allocations.flatMap(({ eni }) => known(eni.id) ?? []);
    const bound = own.filter(({ status }) => status?.phase !== "Unbind" && status?.phase !== undefined && status.phase !== "");
    for (const one of bound) {
      if (one.status?.phase !== "Detaching") await patchStatus(client, networkInterfaces.resource, one, { phase: "Detaching" });
    }
    if (bound.length > 0) return undefined;
    const eniInfos = Object.fromEntries(allocations.map(({ eni: { id } }) => [id, { id, status: "Unbind", vid: null, type: "Secondary" }]));
    await patchStatus(client, podEnis.resource, podEni, { phase: "Unbind", instanceID: "", trunkENIID: "", eniInfos });
    return undefined;
  }

  /** A fixed ENI whose pod is gone is kept as long as every one of its allocations says so. */
  async function expire(podEni: PodEni, allocations: readonly PodEniAllocation[]): Promise<number | undefined> {
    const lastSeenMs = Date.parse(podEni.status?.podLastSeen ?? "");
    const ends = allocations.map(({ allocationType: { type, releaseStrategy, releaseAfter } = {} }) => {
      if (type !== "Fixed") return 0;
      const afterMs = releaseStrategy === "TTL" ? parseGoDuration(releaseAfter ?? "") : undefined;
      return afterMs === undefined || Number.isNaN(lastSeenMs) ? Number.POSITIVE_INFINITY : lastSeenMs + afterMs;
    });
    const leftMs = Math.max(0, ...ends) - clock.wallMs();
    if (leftMs === Number.POSITIVE_INFINITY) return undefined;
    if (leftMs > 0) return leftMs;
    await patchStatus(client, podEnis.resource, podEni, { phase: "Deleting" });
    return undefined;
  }

  /** Every ENI goes first, those that an intent may have created without a word, too; then the PodENI. */
  async function end(podEni: PodEni): Promise<undefined> {
    try {
      const ids = (podEni.spec.allocations ?? []).map(({ eni }) => eni.id);
      const found = await Promise.all([...ids, ...(await begunFor(podEni))].map(interfaceOf));
      const own = found.flatMap((one) => one ?? []);
      for (const one of own) if (one.metadata.deletionTimestamp === undefined) await remove(client, networkInterfaces.resource, one);
      if (own.length === 0) await releaseFinalizers(client, podEnis.resource, podEni, [podEniFinalizer, oldPodEniFinalizer]);
      return undefined;
    } catch (error) {
      if (error instanceof CloudError) events.emit("DeletePodENIFailed", subjectOf(podEni), error.message);
      throw error;
    }
  }

  /** Asked for when it is not known: one that was written a moment ago must not be overlooked. */
  async function interfaceOf(id: string): Promise<NetworkInterface | undefined> {
    const there = known(id);
    if (there !== undefined) return there;
    const answer = await read(client, { resource: networkInterfaces.resource, name: id });
    return answer === undefined ? undefined : networkInterfaces.prune(answer);
  }

  async function begunFor(podEni: PodEni): Promise<string[]> {
    const wanted = (podEni.spec.allocations ?? []).length === 0 ? (intentOf(podEni) ?? []) : [];
    const found = await Promise.all(wanted.map(({ token }) => cloud.describeEnis({ clientToken: token, tags: eniTags(config.clusterId) })));
    const enis = found.flat();
    for (const { id } of enis) if ((await interfaceOf(id)) === undefined) await adopt(podEni, { eni: { id } });
    return enis.map(({ id }) => id);
  }

  const garbage = openGarbageCollector(parts);
  const controller = keyedController({
    ...parts,
    ...{ name, workers: config.workers.podEni, reconcile },
    sources: [
      changesOf(objects),
      changesOf(interfaces, ({ spec }) => (spec?.podENIRef?.name ? [`${spec.podENIRef.namespace ?? ""}/${spec.podENIRef.name}`] : [])),
    ],
  });
  return {
    name,
    start() {
      controller.start();
      garbage.start();
    },
    async stop() {
      await Promise.all([controller.stop(), garbage.stop()]);
    },
  };
}

function subjectOf({ metadata: { namespace, name: podName, annotations } }: PodEni) {
  const uid = annotations?.[podUidAnnotation];
  return { apiVersion: "v1", kind: "Pod", namespace, name: podName, ...(uid === undefined ? {} : { uid }) };
}
