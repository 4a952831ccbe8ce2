import { type Indexer, type Keeper, type KubeClient, Reflector, read, Store, type Stored } from "@terway/kube";
import type { Clock, Random } from "@terway/model";
import type { Logger } from "../log.ts";
import type { Cluster, Followed, Kind, Scope, Watched } from "./cluster.ts";
import { describeUnreadable } from "./kinds.ts";

/** Objects a page of a list of the whole cluster. Small pages are what keeps the peak of the memory flat. */
const pageSize = 250;

export interface ApiClusterParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The objects of an API server. */
export class ApiCluster implements Cluster {
  readonly complete = true;
  readonly client: KubeClient;
  readonly #parts: ApiClusterParts;
  readonly #reflectors = new Set<{ stop(): Promise<void> }>();

  constructor(parts: ApiClusterParts) {
    this.client = parts.client;
    this.#parts = parts;
  }

  watch<T extends Stored>(kind: Kind<T>, scope: Scope = {}, indexers: Readonly<Record<string, Indexer<T>>> = {}): Watched<T> {
    const store = new Store<T>(indexers);
    return { objects: store, ...this.follow(kind, scope, store) };
  }

  follow<T extends Stored>(kind: Kind<T>, scope: Scope, store: Keeper<T>): Followed {
    const { client, clock, random, log } = this.#parts;
    const { kind: name } = kind.resource;
    const { namespace, fields, labels } = scope;
    const whole = fields === undefined && labels === undefined;
    const reflector = new Reflector<T>({
      ...{ client, clock, random, store, resource: kind.resource },
      prune: (object) => this.#prune(kind, object),
      ...(namespace === undefined ? {} : { namespace }),
      ...(fields === undefined ? {} : { fieldSelector: selector(fields) }),
      ...(labels === undefined ? {} : { labelSelector: selector(labels) }),
      ...(whole ? { pageSize } : {}),
      onTrouble: ({ phase, error, retryMs }) =>
        log.warn({ kind: name, phase, retryMs: Math.round(retryMs) }, `API server: ${error.message}`),
    });
    this.#reflectors.add(reflector);
    reflector.start();
    return {
      // A watch that is stopped before its first list is asked for no more.
      synced: new Promise((resolve) => {
        reflector.synced.then(resolve, () => {});
      }),
      stop: async () => {
        this.#reflectors.delete(reflector);
        await reflector.stop();
      },
    };
  }

  async read<T extends Stored>(kind: Kind<T>, namespace: string | undefined, name: string, signal?: AbortSignal): Promise<T | undefined> {
    const ref = { resource: kind.resource, name, ...(namespace === undefined ? {} : { namespace }) };
    const object = await read(this.client, ref, signal);
    return object === undefined ? undefined : this.#prune(kind, object);
  }

  async fresh(): Promise<void> {}

  async close(): Promise<void> {
    await Promise.all([...this.#reflectors].map((reflector) => reflector.stop()));
  }

  #prune<T extends Stored>(kind: Kind<T>, object: unknown): T | undefined {
    try {
      return kind.prune(object);
    } catch (error) {
      this.#parts.log.warn(`${kind.resource.kind} ${nameOf(object)}: ${describeUnreadable(error)}`);
      return undefined;
    }
  }
}

const selector = (wanted: Readonly<Record<string, string>>) =>
  Object.entries(wanted)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");

function nameOf(object: unknown): string {
  const metadata: unknown = typeof object === "object" && object !== null && "metadata" in object ? object.metadata : undefined;
  return typeof metadata === "object" && metadata !== null && "name" in metadata ? String(metadata.name) : "without a name";
}
