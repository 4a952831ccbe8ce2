import { type Indexer, type KubeClient, type Objects, Reflector, type Resource, Store, type Stored } from "@terway/kube";
import type { Clock, Random } from "@terway/model";
import type { Logger } from "../log.ts";
import type { Kind } from "./kinds.ts";

/** Objects a page of a list. Small pages are what keeps the peak of the memory flat. */
const pageSize = 500;

export interface InformerParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** All objects of a kind, kept as the API server has them. */
export class Informer<T extends Stored> {
  readonly objects: Objects<T>;
  readonly #reflector: Reflector<T>;
  readonly #kind: Kind<T>;
  readonly #unreadable = new Set<string>();
  readonly #unreadableListeners = new Set<(key: string) => void>();

  constructor(parts: InformerParts, kind: Kind<T>, indexers: Readonly<Record<string, Indexer<T>>> = {}, namespace?: string) {
    const { log } = parts;
    this.#kind = kind;
    const store = new Store<T>(indexers);
    this.objects = store;
    const { kind: name } = kind.resource;
    this.#reflector = new Reflector<T>({
      ...{ client: parts.client, clock: parts.clock, random: parts.random, resource: kind.resource, store, pageSize },
      ...(namespace === undefined ? {} : { namespace }),
      prune: (object) => {
        const key = keyOfRaw(object);
        try {
          const kept = kind.prune(object);
          this.#unreadable.delete(key);
          return kept;
        } catch (error) {
          if (!this.#unreadable.has(key)) log.warn(`${name} ${key} is not used: ${whatIsWrong(error)}`);
          this.#unreadable.add(key);
          for (const listener of this.#unreadableListeners) listener(key);
          return undefined;
        }
      },
      onTrouble: ({ phase, error, retryMs }) =>
        log.warn({ kind: name, phase, retryMs: Math.round(retryMs) }, `API server: ${error.message}`),
    });
  }

  /** Keys of objects that are there but say nothing that can be understood. What nobody understands may still refer to something. */
  get unreadable(): ReadonlySet<string> {
    return this.#unreadable;
  }

  get resource(): Resource {
    return this.#kind.resource;
  }

  /** Tells of each object that cannot be read, those that are there now included; answers how to stop. */
  onUnreadable(listener: (key: string) => void): () => void {
    this.#unreadableListeners.add(listener);
    for (const key of this.#unreadable) listener(key);
    return () => this.#unreadableListeners.delete(listener);
  }

  /** What is wrong with an object as it is now, by field; undefined when it can be read, or is not there any more: then it is not spoken of again. */
  judge(key: string, object: unknown): string | undefined {
    try {
      if (object !== undefined) this.#kind.prune(object);
      this.#unreadable.delete(key);
      return undefined;
    } catch (error) {
      return whatIsWrong(error);
    }
  }

  /** Resolves when all that there were at the beginning are in `objects`; rejects when it is stopped before. */
  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  start(): this {
    this.#reflector.start();
    return this;
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }
}

function keyOfRaw(object: unknown): string {
  const metadata = isRecord(object) && isRecord(object.metadata) ? object.metadata : {};
  return [metadata.namespace, metadata.name].filter((part) => typeof part === "string").join("/");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function whatIsWrong(error: unknown): string {
  const issues = isRecord(error) && Array.isArray(error.issues) ? error.issues : [];
  const lines = issues.map((issue: unknown) =>
    isRecord(issue) ? `${Array.isArray(issue.path) ? issue.path.join(".") : ""}: ${String(issue.message)}` : "",
  );
  return lines.length > 0 ? lines.join("; ") : String(error);
}
