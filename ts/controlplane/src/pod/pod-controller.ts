import { ApiError, keyOf, pathOf } from "@terway/kube";
import { CloudError, type EniConf, exclusiveModeLabel, type PodEni, type PodObject } from "@terway/model";
import { changesOf } from "../cluster/enqueue.ts";
import { podEnis, pods } from "../cluster/kinds.ts";
import {
  fallbackAnnotation,
  ignoreLabel,
  intentAnnotation,
  limitAnnotation,
  lostAnnotation,
  podEniFinalizer,
  podUidAnnotation,
  relatedNodeLabel,
} from "../cluster/marks.ts";
import { type NodeFacts, nodeFacts } from "../cluster/node-facts.ts";
import { create, patch, patchStatus } from "../cluster/write.ts";
import { annotation } from "../network/annotations.ts";
import { chooseNetwork } from "../network/choice.ts";
import { eniConfOf, networkDefaults } from "../network/defaults.ts";
import { type Controller, keyedController } from "../runtime/controller.ts";
import { openEvents } from "../runtime/events.ts";
import { InFlight } from "../runtime/in-flight.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import { createEnis } from "./create-enis.ts";
import { againMs, GoneInstances, isDown, isOutOfService } from "./dead-node.ts";
import { intentOf, intentText } from "./intent.ts";
import { NoAddressLeft, NoNetwork, planEnis } from "./plan-enis.ts";

const name = "pod";

/** A PodENI for each pod that needs one, with its ENIs created; and what becomes of it when its pod goes or comes again. Attaching is controller `pod-eni`'s. */
export function openPodController(parts: ControllerParts): Controller {
  const { informers, client, config, log } = parts;
  const podObjects = informers.pods.objects;
  const events = openEvents({ ...parts, controller: name });
  const creating = new InFlight();
  const gone = new GoneInstances(parts);

  /** The control plane gives this pod ENIs of its own; the daemon of its node waits for them. */
  function needsOwn(pod: PodObject): boolean {
    const { labels, annotations } = pod.metadata;
    if (labels[ignoreLabel] === "true" || !pod.spec?.nodeName || hasEnded(pod)) return false;
    if (annotations[annotation.podEni] === "true") return true;
    const nodeLabels = informers.nodes.objects.get(pod.spec.nodeName)?.metadata.labels ?? {};
    const exclusive = nodeLabels[exclusiveModeLabel]?.toLowerCase() === "enionly";
    return annotations[annotation.podEni] !== "false" && (config.ownEnisForAll || (exclusive && config.centralizedIpam));
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const pod = podObjects.get(key);
    const podEni = informers.podEnis.objects.get(key);
    if (pod === undefined || !(needsOwn(pod) || isOwnerOf(pod, podEni))) {
      creating.forget(key);
      return podEni === undefined ? undefined : release(podEni, pod);
    }
    const ends = pod.metadata.deletionTimestamp !== undefined;
    // What ends gets nothing more.
    if (podEni === undefined) return ends ? undefined : prepare(pod);
    if (podEni.metadata.deletionTimestamp !== undefined || podEni.status?.phase === "Deleting") return undefined;
    if (ends) return force(podEni, pod);
    if (!isFixed(podEni) && hindrance(podEni, lostAnnotation) !== undefined) {
      // Away with all of it, and then anew: what is left of a pod's ENIs is of no use without the others.
      await patchStatus(client, podEnis.resource, podEni, {
        phase: "Deleting",
        msg: "an ENI has vanished at the cloud; another one is made",
      });
      return undefined;
    }
    const limit = hindrance(podEni, limitAnnotation);
    if (limit !== undefined && (await fallBack(pod, limit))) return undefined;
    const owner = podEni.metadata.annotations?.[podUidAnnotation];
    if (!owner) return adopt(podEni, pod);
    if (owner !== pod.metadata.uid) return takeOver(podEni, pod);
    if ((podEni.spec.allocations ?? []).length === 0) return fill(key, podEni, pod);
    // Detached from its last node, and given to this pod now.
    if (podEni.status?.phase === "Unbind") await patchStatus(client, podEnis.resource, podEni, { phase: "Binding" });
    return undefined;
  }

  /** Its pod is gone, or needs it no more. */
  async function release(podEni: PodEni, seen: PodObject | undefined, msg = ""): Promise<undefined> {
    const phase = podEni.status?.phase ?? "";
    if (podEni.metadata.deletionTimestamp !== undefined || phase === "Deleting" || phase === "Detaching" || phase === "Unbind")
      return undefined;
    // What is about to be taken away is asked for once more: a watch may be behind, above all that of a replica that leads since a moment.
    if (seen === undefined && (await isThere(podEni)))
      throw new NoNetwork(`pod ${podEni.metadata.namespace}/${podEni.metadata.name} is there, but not known here yet`);
    await patchStatus(client, podEnis.resource, podEni, { ...(isFixed(podEni) ? detaching() : { phase: "Deleting" }), msg });
    return undefined;
  }

  /**
   * A pod that ends keeps its ENIs until its kubelet has said that nothing of it runs. On a node that is dead nobody will; there they are taken off at once. What
   * may still run there has lost its network by then, because an ENI is detached before it is attached elsewhere.
   */
  async function force(podEni: PodEni, pod: PodObject): Promise<number | undefined> {
    const nodeName = pod.spec?.nodeName ?? "";
    const node = informers.nodes.objects.get(nodeName);
    const phase = podEni.status?.phase ?? "";
    if (!isOwnerOf(pod, podEni) || !isDown(node) || phase === "Detaching" || phase === "Unbind") return undefined;
    const instance = podEni.status?.instanceID ?? "";
    let why = `node ${nodeName} is out of service`;
    if (!isOutOfService(node)) {
      const state = instance === "" ? "there" : await gone.state(instance);
      if (state !== "gone") return againMs[state];
      why = `instance ${instance} of node ${nodeName} does not exist any more`;
    }
    log.warn({ namespace: pod.metadata.namespace, pod: pod.metadata.name }, `${why}: its ENIs are detached by force`);
    return release(podEni, pod, `detached by force: ${why}`);
  }

  const detaching = () => ({
    phase: "Detaching",
    podLastSeen: new Date(parts.clock.wallMs()).toISOString().replace(/\.\d+Z$/, "Z"),
  });

  async function isThere({ metadata: { namespace, name: podName, annotations } }: PodEni): Promise<boolean> {
    try {
      const answer = await client.call({ method: "GET", path: pathOf(pods.resource, namespace, podName) });
      const pod = pods.prune(answer);
      return pod !== undefined && pod.metadata.uid === annotations?.[podUidAnnotation] && !hasEnded(pod);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  /** Older releases did not write whose it is; taking it from a pod that runs would be worse than giving it to a namesake. */
  async function adopt(podEni: PodEni, pod: PodObject): Promise<undefined> {
    await patch(client, podEnis.resource, podEni, { metadata: { annotations: { [podUidAnnotation]: pod.metadata.uid } } });
    return undefined;
  }

  /** A pod of the same name has come. What is fixed waits for it, what is not goes first: an ENI is never on two nodes. */
  async function takeOver(podEni: PodEni, pod: PodObject): Promise<undefined> {
    const phase = podEni.status?.phase ?? "";
    if (phase === "Detaching") return undefined;
    if (!isFixed(podEni)) {
      await patchStatus(client, podEnis.resource, podEni, { phase: "Deleting" });
      return undefined;
    }
    if (phase !== "Unbind") {
      await patchStatus(client, podEnis.resource, podEni, detaching());
      return undefined;
    }
    const node = factsOf(pod);
    const { zone } = podEni.spec;
    await tell(pod, async () => {
      if (zone && zone !== node.zoneId)
        throw new NoNetwork(
          `its fixed ENI is in zone ${zone}, but node ${node.name} in ${node.zoneId}; the pod must be scheduled in ${zone}`,
        );
      await patch(client, podEnis.resource, podEni, {
        metadata: { labels: { [relatedNodeLabel]: node.name }, annotations: { [podUidAnnotation]: pod.metadata.uid } },
      });
    });
    return undefined;
  }

  function factsOf(pod: PodObject): NodeFacts {
    const nodeName = pod.spec?.nodeName ?? "";
    const facts = nodeFacts(informers.nodes.objects.get(nodeName), nodeName, config.nodeLabels);
    if (typeof facts === "string") throw new NoNetwork(facts);
    return facts;
  }

  /** Decides, and writes down what shall be created before anything is. */
  async function prepare(pod: PodObject): Promise<undefined> {
    const { namespace, name: podName, uid } = pod.metadata;
    await tell(pod, async () => {
      const node = factsOf(pod);
      const enis = await plan(pod, node);
      await create(client, podEnis.resource, {
        metadata: {
          ...{ namespace, name: podName },
          labels: { [relatedNodeLabel]: node.name },
          annotations: { [podUidAnnotation]: uid, [intentAnnotation]: intentText(enis) },
          finalizers: [podEniFinalizer],
        },
        spec: { allocations: [], zone: node.zoneId },
      });
    });
    return undefined;
  }

  async function plan(pod: PodObject, node: NodeFacts) {
    const conf = eniConfOf(informers.configMaps.objects, informers.nodes.objects.get(node.name));
    const choice = chosen(pod, conf);
    if (choice.kind === "refused") {
      const hint = typeof conf === "string" ? ` (${conf})` : "";
      throw new NoNetwork(`${choice.field}: ${choice.message}${hint}`);
    }
    if (choice.kind === "shared") throw new NoNetwork("the pod needs no ENI of its own");
    return planEnis({ ...parts, trunk: config.trunk, ipv4: config.ipv4, ipv6: config.ipv6 }, choice.interfaces, node);
  }

  function chosen(pod: PodObject, conf: EniConf | string, fallback = false) {
    const namespace = informers.namespaces.objects.get(pod.metadata.namespace);
    return chooseNetwork({
      pod,
      ...(namespace === undefined ? {} : { namespace }),
      podNetworkings: informers.podNetworkings.objects.values(),
      defaults: networkDefaults(conf),
      statefulKinds: config.statefulKinds,
      ownEnisForAll: !fallback,
      fallback,
    });
  }

  /** What keeps an ENI of a pod from its node; a PodENI that was bound is in use, and nobody's to change. */
  function hindrance(podEni: PodEni, mark: string): string | undefined {
    const phase = podEni.status?.phase ?? "";
    if (phase !== "" && phase !== "Binding") return undefined;
    const { namespace, name: podName } = podEni.metadata;
    const own = informers.networkInterfaces.objects.by("pod", `${namespace}/${podName}`);
    return own.flatMap(({ metadata }) => metadata.annotations?.[mark] ?? [])[0];
  }

  /**
   * The pod takes an address of its node's shared ENIs, if it loses nothing by that; what was begun for it goes. Answers whether it does. The annotation is what its
   * node's daemon goes by.
   */
  async function fallBack(pod: PodObject, why: string): Promise<boolean> {
    if (!config.fallbackToShared || config.ownEnisForAll || factsOf(pod).exclusive) return false;
    // As the webhook decided it, without what stands for this node alone.
    const choice = chosen(pod, eniConfOf(informers.configMaps.objects, undefined), true);
    if (choice.kind !== "own" || choice.mayFallBack !== true) return false;
    const annotations = { [annotation.podEni]: "false", [annotation.podNetworks]: null, [fallbackAnnotation]: why };
    await patch(client, pods.resource, pod, { metadata: { annotations } });
    events.emit("VirtualModeChanged", subjectOf(pod), `an ENI of its own → an address of its node's shared ENIs: ${why}`);
    return true;
  }

  /** Creates what the PodENI's intent says, beside the worker. */
  async function fill(key: string, podEni: PodEni, pod: PodObject): Promise<undefined> {
    const wanted = intentOf(podEni);
    await tell(pod, async () => {
      const node = factsOf(pod);
      if (wanted === undefined) {
        // Somebody took the intent away; what it had begun is found by its tags.
        const text = intentText(await plan(pod, node));
        await patch(client, podEnis.resource, podEni, { metadata: { annotations: { [intentAnnotation]: text } } });
        return;
      }
      creating.start(key, (signal) => work(podEni, pod, node, wanted, signal), controller.enqueue);
    });
    return undefined;
  }

  async function work(
    podEni: PodEni,
    pod: PodObject,
    node: NodeFacts,
    wanted: NonNullable<ReturnType<typeof intentOf>>,
    signal: AbortSignal,
  ): Promise<void> {
    const enis = await createEnis(parts, podEni, wanted, node, signal);
    for (const { id, primaryIpv4, vSwitchId } of enis)
      events.emit("CreateENISucceed", subjectOf(pod), `ENI ${id} with address ${primaryIpv4} of vSwitch ${vSwitchId}`);
  }

  /** Tells the pod what hinders its network. */
  async function tell(pod: PodObject, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const limit = error instanceof NoAddressLeft || (error instanceof CloudError && error.class === "quota");
      if (limit && (await fallBack(pod, error.message))) return;
      if (error instanceof CloudError) events.emit("CreateENIFailed", subjectOf(pod), error.message);
      else if (error instanceof NoNetwork) events.emit("PodCreateFailed", subjectOf(pod), error.message);
      throw error;
    }
  }

  const controller = keyedController({
    ...parts,
    ...{ name, workers: config.workers.pod, reconcile, log },
    sources: [
      changesOf(podObjects),
      changesOf(informers.podEnis.objects),
      changesOf(informers.networkInterfaces.objects, ({ metadata, spec }) =>
        (metadata.annotations?.[limitAnnotation] ?? metadata.annotations?.[lostAnnotation]) !== undefined && spec?.podENIRef?.name
          ? [`${spec.podENIRef.namespace ?? ""}/${spec.podENIRef.name}`]
          : [],
      ),
      // Nodes that die, or are said to be dead.
      (enqueue) =>
        informers.nodes.objects.listen((event) => {
          const node = event.type === "deleted" ? undefined : event.object;
          const { name: nodeName } = (node ?? (event.type === "deleted" ? event.before : event.object)).metadata;
          if (isDown(node)) for (const pod of podObjects.by("node", nodeName)) enqueue(keyOf(pod));
        }),
    ],
  });
  return {
    ...controller,
    async stop() {
      creating.stop();
      await controller.stop();
    },
  };
}

const hasEnded = ({ status }: PodObject) => status?.phase === "Succeeded" || status?.phase === "Failed";

/** What a pod has it keeps while it lives, whatever became of the annotation or the node that it was given for. */
const isOwnerOf = (pod: PodObject, podEni: PodEni | undefined) =>
  !hasEnded(pod) &&
  pod.metadata.annotations[fallbackAnnotation] === undefined &&
  podEni?.metadata.annotations?.[podUidAnnotation] === pod.metadata.uid;

const isFixed = ({ spec }: PodEni) => (spec.allocations ?? []).some(({ allocationType }) => allocationType?.type === "Fixed");

const subjectOf = ({ metadata: { namespace, name: podName, uid } }: PodObject) => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace,
  name: podName,
  uid,
});
