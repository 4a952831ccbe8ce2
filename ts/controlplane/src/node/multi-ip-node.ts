import type { PoolEvent } from "@terway/model";
import { type Controller, keyedController } from "../runtime/controller.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import { Nodes } from "./nodes.ts";
import { Said } from "./said.ts";
import { sharedReads } from "./shared-reads.ts";

/**
 * Centralized IPAM: ENIs and addresses of every node that asks for it by its Node object. Its keys are names of nodes, and a look at one waits for
 * nothing but the API server: what the cloud is asked for goes on beside it, many at a time.
 */
export function openMultiIpNodeController(parts: ControllerParts): Controller {
  const { client, clock, random, log, metrics, config, informers, vSwitches } = parts;
  const cloud = sharedReads(parts.cloud, clock, vSwitches);
  const said = new Said();
  const nodes = new Nodes({
    ...{ client, cloud, clock, random },
    ...{ nodes: informers.nodeResources.objects, runtimes: informers.nodeRuntimes.objects, pods: informers.pods.objects },
    syncPeriodMs: config.multiIp.syncPeriodMs,
    onEvent: (node, event) => log[levelOf(event)]({ node, ...event }, event.type),
    onTrouble: (node, message) => {
      if (said.isNew(node, message, clock.monotonicMs())) log.warn({ node }, message);
    },
  });
  const name = "multi-ip-node";
  const timers = new Set<() => void>();
  const controller = keyedController({
    ...{ name, clock, random, log, metrics, workers: config.workers.multiIpNode },
    firstMs: config.multiIp.firstFailureMs,
    mostMs: config.multiIp.mostFailureMs,
    reconcile: async (key) => {
      if (informers.nodeResources.objects.get(key) === undefined) said.forget(key);
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
