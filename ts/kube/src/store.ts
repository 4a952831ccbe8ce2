import { keyOf, type Stored } from "./resource.ts";

export type StoreEvent<T> =
  | { readonly type: "added"; readonly object: T }
  | { readonly type: "updated"; readonly object: T; readonly before: T }
  | { readonly type: "deleted"; readonly before: T };

/** The keys under which an index finds an object. */
export type Indexer<T> = (object: T) => readonly string[];

/** A store as readers see it. */
export type Objects<T extends Stored> = Pick<Store<T>, "size" | "get" | "values" | "by" | "listen">;

/** Where a reflector keeps what it is told. */
export interface Keeper<T extends Stored> {
  readonly size: number;
  set(object: T): void;
  /** `namespace/name`, or the name of an object of the cluster. */
  delete(key: string): void;
  /** What a whole list did not mention is gone. */
  keepOnly(keys: ReadonlySet<string>): void;
}

/** Objects by key, found by indexes too. Only a reflector writes; readers see each change whole. */
export class Store<T extends Stored> implements Keeper<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, { readonly indexer: Indexer<T>; readonly entries: Map<string, Set<string>> }>();
  readonly #listeners = new Set<(event: StoreEvent<T>) => void>();

  constructor(indexers: Readonly<Record<string, Indexer<T>>> = {}) {
    for (const [name, indexer] of Object.entries(indexers)) this.#indexes.set(name, { indexer, entries: new Map() });
  }

  get size(): number {
    return this.#objects.size;
  }

  /** `namespace/name`, or the name of an object of the cluster. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): Iterable<T> {
    return this.#objects.values();
  }

  /** Objects that the index holds under this value. Throws when there is no such index. */
  by(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new RangeError(`the store has no index ${index}`);
    return [...(found.entries.get(value) ?? [])].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Called after each change, with what was there before. The returned function ends it. */
  listen(listener: (event: StoreEvent<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(object: T): void {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    // A watch that begins anew may tell what is known already, and a list out of an old cache less than that.
    if (before?.metadata.uid === object.metadata.uid && !isNewer(object.metadata.resourceVersion, before.metadata.resourceVersion)) return;
    this.#unindex(key, before);
    this.#objects.set(key, object);
    this.#index(key, object);
    if (before === undefined) this.#tell({ type: "added", object });
    else if (before.metadata.uid === object.metadata.uid) this.#tell({ type: "updated", object, before });
    else {
      // Another object of the same name: the old one's end was missed.
      this.#tell({ type: "deleted", before });
      this.#tell({ type: "added", object });
    }
  }

  delete(key: string): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#unindex(key, before);
    this.#objects.delete(key);
    this.#tell({ type: "deleted", before });
  }

  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of [...this.#objects.keys()]) if (!keys.has(key)) this.delete(key);
  }

  #tell(event: StoreEvent<T>): void {
    for (const listener of this.#listeners) listener(event);
  }

  #index(key: string, object: T): void {
    for (const { indexer, entries } of this.#indexes.values()) {
      for (const value of indexer(object)) {
        const keys = entries.get(value);
        if (keys === undefined) entries.set(value, new Set([key]));
        else keys.add(key);
      }
    }
  }

  #unindex(key: string, object: T | undefined): void {
    if (object === undefined) return;
    for (const { indexer, entries } of this.#indexes.values()) {
      for (const value of indexer(object)) {
        const keys = entries.get(value);
        if (keys?.delete(key) && keys.size === 0) entries.delete(value);
      }
    }
  }
}

/** Versions of one kind of object are numbers that grow (KEP-5504). Texts that are no numbers are only equal or not. */
function isNewer(version: string, than: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return version !== than;
  return version.length === than.length ? version > than : version.length > than.length;
}
