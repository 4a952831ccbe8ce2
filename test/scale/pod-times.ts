import { type KubeClient, Reflector, type Resource, Store } from "@terway/kube";
import { systemClock, systemRandom } from "@terway/model";
import { z } from "zod";

const resource: Resource = { apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true };
const podSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string(), uid: z.string(), resourceVersion: z.string() }),
  status: z.object({ phase: z.string().default("") }).default({ phase: "" }),
});
type PodPhase = z.infer<typeof podSchema>;

/** When each pod of a namespace was seen Running, and how many there are: by a watch, because a poll is as coarse as its period. */
export class PodTimes {
  /** By name, on the clock of `performance.now()`. */
  readonly runningMs = new Map<string, number>();
  readonly #store = new Store<PodPhase>();
  readonly #reflector: Reflector<PodPhase>;

  constructor(client: KubeClient, namespace: string) {
    this.#store.listen((event) => {
      if (event.type === "deleted" || event.object.status.phase !== "Running") return;
      const { name } = event.object.metadata;
      if (!this.runningMs.has(name)) this.runningMs.set(name, performance.now());
    });
    const prune = (object: unknown) => podSchema.parse(object);
    this.#reflector = new Reflector({ client, clock: systemClock, random: systemRandom, resource, store: this.#store, prune, namespace });
  }

  async start(): Promise<void> {
    this.#reflector.start();
    await this.#reflector.synced;
  }

  get count(): number {
    return this.#store.size;
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }
}
