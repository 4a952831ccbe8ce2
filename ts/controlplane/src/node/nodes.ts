import { apply, type KubeClient, type Objects } from "@terway/kube";
import type { Clock, Cloud, EventReason, PodObject, PoolEvent, Random } from "@terway/model";
import type { NodeRuntimeObject, NodeSpecObject } from "../cluster/kinds.ts";
import { nodeResources } from "../cluster/kinds.ts";
import { ManagedNode } from "./managed-node.ts";
import { addressPods } from "./pods.ts";
import { nodeCapOf } from "./spec.ts";
import { statusAt } from "./status-api.ts";

export interface NodesParts {
  readonly client: KubeClient;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly random: Random;
  readonly nodes: Objects<NodeSpecObject>;
  readonly runtimes: Objects<NodeRuntimeObject>;
  /** Index `node`. */
  readonly pods: Objects<PodObject>;
  readonly syncPeriodMs: number;
  readonly onEvent: (node: string, event: PoolEvent) => void;
  /** With a reason it is worth an event: somebody has to mend something. */
  readonly onTrouble: (node: string, message: string, reason?: EventReason) => void;
  readonly failpoint?: (node: string, step: string) => Promise<void>;
}

/** All nodes under centralized IPAM. The key is the node's name. */
export class Nodes {
  readonly #parts: NodesParts;
  readonly #managed = new Map<string, ManagedNode>();
  #enqueue: (name: string, afterMs: number) => void = () => {};

  constructor(parts: NodesParts) {
    this.#parts = parts;
  }

  get(name: string): ManagedNode | undefined {
    return this.#managed.get(name);
  }

  /** Tells of every node that is worth a look, those that are there now included; answers how to stop. */
  listen(enqueue: (name: string, afterMs: number) => void): () => void {
    const { nodes, runtimes, pods } = this.#parts;
    this.#enqueue = enqueue;
    const ends = [
      nodes.listen((event) => enqueue(event.type === "deleted" ? event.before.metadata.name : event.object.metadata.name, 0)),
      runtimes.listen((event) => enqueue(event.type === "deleted" ? event.before.metadata.name : event.object.metadata.name, 0)),
      pods.listen((event) => {
        const name = (event.type === "deleted" ? event.before : event.object).spec?.nodeName;
        if (name !== undefined) enqueue(name, 0);
      }),
    ];
    for (const { metadata } of nodes.values()) enqueue(metadata.name, 0);
    return () => {
      this.#enqueue = () => {};
      for (const end of ends) end();
    };
  }

  /** Brings one node nearer to what it shall be. Rejects when the API server or the cloud did not answer. */
  async look(name: string): Promise<void> {
    const object = this.#parts.nodes.get(name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      await this.#forget(name);
      return;
    }
    if (object.spec?.nodeMetadata && object.spec.nodeCap?.adapters === undefined) {
      await this.#fillIn(object, object.spec.nodeMetadata.instanceType);
      // The change comes back as one.
      return;
    }
    const node = this.#managed.get(name) ?? this.#manage(name);
    const pods = addressPods(this.#parts.pods.by("node", name));
    const waits = await node.look({ object, pods, runtime: this.#parts.runtimes.get(name) });
    if (waits !== undefined) this.#parts.onTrouble(name, waits);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#managed.keys()].map((name) => this.#forget(name)));
  }

  #manage(name: string): ManagedNode {
    const { client, cloud, clock, random, syncPeriodMs, onEvent, onTrouble, failpoint } = this.#parts;
    const node = new ManagedNode({
      ...{ name, cloud, clock, random, syncPeriodMs, port: statusAt(client, name) },
      wake: (afterMs) => this.#enqueue(name, afterMs),
      onEvent: (event) => onEvent(name, event),
      onTrouble: (message, reason) => onTrouble(name, message, reason),
      ...(failpoint === undefined ? {} : { failpoint: (step) => failpoint(name, step) }),
    });
    this.#managed.set(name, node);
    return node;
  }

  async #forget(name: string): Promise<void> {
    const node = this.#managed.get(name);
    this.#managed.delete(name);
    await node?.close();
  }

  /** What only the cloud knows of the instance. */
  async #fillIn({ metadata: { name } }: NodeSpecObject, instanceType: string): Promise<void> {
    const { client, cloud } = this.#parts;
    const limits = await cloud.describeInstanceType(instanceType);
    const body = { metadata: { labels: { name } }, spec: { nodeCap: nodeCapOf(limits) } };
    await apply(client, { resource: nodeResources.resource, name }, body, { fieldManager: "terway-controlplane", force: true });
  }
}
