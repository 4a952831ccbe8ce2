import type { EventReason, PoolEvent } from "@terway/model";
import { nodeResources } from "../cluster/kinds.ts";
import { type Controller, keyedController } from "../runtime/controller.ts";
import { openEvents } from "../runtime/events.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import { Nodes } from "./nodes.ts";
import { Said } from "./said.ts";
import { sharedReads } from "./shared-reads.ts";

const name = "multi-ip-node";

/**
 * Centralized IPAM: ENIs and addresses of every node that asks for it by its Node object. Its keys are names of nodes, and a look at one waits for
 * nothing but the API server: what the cloud is asked for goes on beside it, many at a time.
 */
export function openMultiIpNodeController(parts: ControllerParts): Controller {
  const { client, clock, random, log, metrics, config, informers, vSwitches } = parts;
  const cloud = sharedReads(parts.cloud, clock, vSwitches);
  const events = openEvents({ ...parts, controller: name });
  const [said, wrong] = [new Said(), new Said()];

  /** People look at the node of Kubernetes, and at the one of our group. */
  function tell(node: string, reason: EventReason, message: string): void {
    const core = informers.nodes.objects.get(node);
    if (core !== undefined) events.emit(reason, { apiVersion: "v1", kind: "Node", name: node, uid: core.metadata.uid }, message);
    const { apiVersion, kind } = nodeResources.resource;
    const uid = informers.nodeResources.objects.get(node)?.metadata.uid;
    events.emit(reason, { apiVersion, kind, name: node, ...(uid === undefined ? {} : { uid }) }, message);
  }

  const nodes = new Nodes({
    ...{ client, cloud, clock, random },
    ...{ nodes: informers.nodeResources.objects, runtimes: informers.nodeRuntimes.objects, pods: informers.pods.objects },
    syncPeriodMs: config.multiIp.syncPeriodMs,
    onEvent: (node, event) => {
      log[levelOf(event)]({ node, ...event }, event.type);
      const told = eventOf(event);
      if (told !== undefined) tell(node, ...told);
    },
    onTrouble: (node, message, reason) => {
      if (!(reason === undefined ? said : wrong).isNew(node, message, clock.monotonicMs())) return;
      log.warn({ node }, message);
      if (reason !== undefined) tell(node, reason, message);
    },
  });
  const timers = new Set<() => void>();
  const controller = keyedController({
    ...{ name, clock, random, log, metrics, workers: config.workers.multiIpNode },
    firstMs: config.multiIp.firstFailureMs,
    mostMs: config.multiIp.mostFailureMs,
    reconcile: async (key) => {
      if (informers.nodeResources.objects.get(key) === undefined) for (const one of [said, wrong]) one.forget(key);
      await nodes.look(key);
      return undefined;
    },
    sources: [
      (enqueue) => {
        const ignore = nodes.listen((node, afterMs) => {
          if (afterMs <= 0) return enqueue(node);
          const cancel = clock.after(afterMs, () => {
            timers.delete(cancel);
            enqueue(node);
          });
          timers.add(cancel);
        });
        return () => {
          ignore();
          for (const cancel of timers) cancel();
        };
      },
    ],
  });
  return {
    name,
    start: () => controller.start(),
    async stop() {
      await controller.stop();
      await nodes.close();
    },
  };
}

const levelOf = ({ type }: PoolEvent) => (type === "problem" || type === "address-vanished" ? "warn" : "info");

/** As a node that manages its ENIs itself tells it. */
function eventOf(event: PoolEvent): [EventReason, string] | undefined {
  switch (event.type) {
    case "problem": {
      const { class: kind, message } = event.problem;
      return [kind === "quota" || kind === "exhausted" ? "CreateENIFailed" : "SyncOpenAPIFailed", message];
    }
    case "recovered":
      return ["SyncOpenAPISuccess", `${event.code} is over`];
    case "address-vanished":
      return ["ResourceInvalid", `${event.address} is bound to a pod (${event.leaseId}), but the cloud does not know it`];
    default:
      return undefined;
  }
}
