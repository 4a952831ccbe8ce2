import { type Indexer, type KubeClient, type Objects, Reflector, Store, type Stored } from "@terway/kube";
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
  readonly #unreadable = new Set<string>();

  constructor(parts: InformerParts, kind: Kind<T>, indexers: Readonly<Record<string, Indexer<T>>> = {}, namespace?: string) {
    const { log } = parts;
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
