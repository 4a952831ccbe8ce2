import type { Objects } from "@terway/kube";
import type { Clock, NodeObject } from "@terway/model";
import { z } from "zod";
import type { Cluster, Watched } from "./cluster/cluster.ts";
import { nodes } from "./cluster/kinds.ts";
import { DurableFile } from "./durable-file.ts";

/** How long a start waits for the API server before it goes on with what it knew. */
const firstAnswerMs = 1_000;

const memorySchema = z.object({ version: z.literal(1), labels: z.record(z.string(), z.string()) });

/** This node's own object. Its labels outlive the process: a node must not change its kind because the API server is away. */
export class OwnNode {
  readonly name: string;
  readonly clock: Clock;
  readonly #watched: Watched<NodeObject>;
  readonly #memory: DurableFile<z.infer<typeof memorySchema>>;

  constructor(cluster: Cluster, name: string, stateDir: string, clock: Clock) {
    this.name = name;
    this.clock = clock;
    this.#watched = cluster.watch(nodes, { fields: { "metadata.name": name } });
    this.#memory = new DurableFile(stateDir, "node.json", memorySchema);
  }

  get objects(): Objects<NodeObject> {
    return this.#watched.objects;
  }

  get synced(): Promise<void> {
    return this.#watched.synced;
  }

  /** Undefined while it is not known, and where there is none. */
  get object(): NodeObject | undefined {
    return this.#watched.objects.get(this.name);
  }

  /** At the start: as they are now, or as they were when they could last be read. */
  async labels(): Promise<Readonly<Record<string, string>>> {
    const inTime = await Promise.race([this.synced.then(() => true), this.clock.sleep(firstAnswerMs).then(() => false)]);
    if (!inTime) return (await this.#memory.read())?.labels ?? {};
    const labels = this.object?.metadata.labels ?? {};
    await this.#memory.write({ version: 1, labels }).catch(() => {});
    return labels;
  }
}
