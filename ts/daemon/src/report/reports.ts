import type { KubeClient } from "@terway/kube";
import type { Clock, EventSink, Lease, Random } from "@terway/model";
import type { Background } from "../background.ts";
import type { Logger } from "../log.ts";
import type { OwnNode } from "../own-node.ts";
import type { Pods } from "../pods.ts";
import { keepCapacity } from "./node-capacity.ts";
import { keepConditions, type WantedCondition } from "./node-conditions.ts";
import { PodIps } from "./pod-ips.ts";
import { answerReconcileRequests } from "./reconcile-request.ts";

export interface ReportsParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly events: EventSink;
  readonly background: Background;
  readonly ownNode: OwnNode;
  readonly pods: Pods;
  readonly leases: () => readonly Lease[];
  readonly patchPodIps: () => boolean;
  readonly conditions: () => readonly WantedCondition[];
  /** Annotations of the node; undefined while they are not known. */
  readonly capacity: () => Readonly<Record<string, string>> | undefined;
  readonly reconcile: () => Promise<string>;
}

export interface Reports {
  allocated(lease: Lease): void;
  stop(): Promise<void>;
}

/** What this node tells the API server beside events. */
export function startReports(parts: ReportsParts): Reports {
  const { client, clock, random, log, events, background, ownNode, pods, leases } = parts;
  const podIps = new PodIps({ client, clock, random, log, pods, leases, enabled: parts.patchPodIps });
  background.run("the node's conditions", (signal) => keepConditions({ client, clock, log, ownNode, wanted: parts.conditions, signal }));
  background.run("the node's capacity", (signal) => keepCapacity({ client, clock, log, ownNode, wanted: parts.capacity, signal }));
  const stopAnswering = answerReconcileRequests({
    ...{ client, clock, random, log, events, reconcile: parts.reconcile },
    ownNode: ownNode.objects,
  });
  return {
    allocated: (lease) => podIps.allocated(lease),
    stop: async () => {
      await Promise.all([podIps.stop(), stopAnswering()]);
    },
  };
}
