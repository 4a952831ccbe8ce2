import type { Indexer, Keeper, KubeClient, Objects, Resource, Stored } from "@terway/kube";

/** A kind of object, and what this process keeps of one. */
export interface Kind<T extends Stored> {
  readonly resource: Resource;
  /** What is kept; undefined: of no interest. Throws what is wrong with an object that cannot be read; it counts as absent then, and the log says so. */
  readonly prune: (object: unknown) => T | undefined;
}

/** Which objects of a kind; absent: all of the cluster. */
export interface Scope {
  readonly namespace?: string;
  /** By field as the API names it: `metadata.name`, `spec.nodeName`. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Objects that are followed as the cluster has them. */
export interface Followed {
  /** Resolves when all that there were at the beginning have been told; stays open while the cluster cannot be heard. */
  readonly synced: Promise<void>;
  stop(): Promise<void>;
}

/** Objects that are kept as the cluster has them. */
export interface Watched<T extends Stored> extends Followed {
  readonly objects: Objects<T>;
}

/** The port to Kubernetes objects: an API server, a directory of files, or nothing. */
export interface Cluster {
  /**
   * Objects of a kind, from now until `stop`. Listeners on `objects` hear each change once, with what was there before. `indexers` name the keys by which
   * `objects.by` finds them.
   */
  watch<T extends Stored>(kind: Kind<T>, scope?: Scope, indexers?: Readonly<Record<string, Indexer<T>>>): Watched<T>;
  /** As `watch`, for whoever keeps the objects in another way. */
  follow<T extends Stored>(kind: Kind<T>, scope: Scope, keeper: Keeper<T>): Followed;
  /** One object, asked for now. Undefined when there is none. Rejects when the cluster cannot be heard, or does not let us. */
  read<T extends Stored>(kind: Kind<T>, namespace: string | undefined, name: string, signal?: AbortSignal): Promise<T | undefined>;
  /** Resolves when `objects` hold what was there before this call, where that costs nothing to know: a directory is looked at, an API server tells by itself. */
  fresh(): Promise<void>;
  /** What is not in it does not exist. Not so for a directory, in which somebody may have put one pod of ten. */
  readonly complete: boolean;
  /** To whom events, annotations and conditions go; absent: to nobody. */
  readonly client?: KubeClient;
  close(): Promise<void>;
}
