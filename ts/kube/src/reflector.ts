import type { Clock, Random } from "@terway/model";
import { z } from "zod";
import { ApiError } from "./api-error.ts";
import { Backoff } from "./backoff.ts";
import type { KubeClient } from "./client.ts";
import { lines } from "./lines.ts";
import { keyOf, pathOf, type Resource, type Stored } from "./resource.ts";
import type { Keeper } from "./store.ts";

export interface ReflectorOptions<T extends Stored> {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly resource: Resource;
  readonly store: Keeper<T>;
  /** Keeps of an object what is needed; undefined: the object is of no interest. Called while decoding, so that the rest is garbage at once. */
  readonly prune: (object: unknown) => T | undefined;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /**
   * Objects a page of a list, read at the newest version. Absent: one list out of the server's cache, which is right for a node's own few objects when
   * thousands of nodes start at once.
   */
  readonly pageSize?: number;
  /** Trouble that the reflector is living with; each kind once until it is over. */
  readonly onTrouble?: (trouble: { readonly phase: "list" | "watch"; readonly error: Error; readonly retryMs: number }) => void;
  /** A watch that says nothing for so long is taken for dead; bookmarks come every minute. Default 90 s. */
  readonly silenceMs?: number;
}

const pageSchema = z.object({
  metadata: z.object({ resourceVersion: z.string().default(""), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullish(),
});
const eventSchema = z.object({ type: z.string(), object: z.unknown() });
const versionSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), name: z.string().default(""), namespace: z.string().optional() }),
});
const errorSchema = z.object({ code: z.number().optional(), reason: z.string().optional(), message: z.string().optional() });

/** How the server lets a watch end by itself, in seconds: spread, so that they do not all end together. */
const watchSeconds = { least: 300, spread: 300 };

/**
 * Keeps a store equal to what the API server has: a list in pages, then a watch with bookmarks, and whatever goes wrong, the shortest way back. A version
 * that is gone means a new list, never a storm of them; everything else means the watch again from the last version, with growing delays.
 */
export class Reflector<T extends Stored> {
  readonly #options: ReflectorOptions<T>;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  readonly #synced = Promise.withResolvers<void>();
  #run: Promise<void> | undefined;
  /** The last trouble was a version that is gone, and nothing has been told since. */
  #wasExpired = false;
  #counters = { lists: 0, watches: 0, events: 0 };

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff({ firstMs: 800, mostMs: 30_000, factor: 2, jitter: 0.5 }, options.random);
    // A reflector that is stopped before its first list is no failure of whoever waits for it no more.
    this.#synced.promise.catch(() => undefined);
  }

  /** Resolves when the first whole list is in the store; rejects when the reflector is stopped before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** For metrics. */
  get counters(): { readonly lists: number; readonly watches: number; readonly events: number } {
    return { ...this.#counters };
  }

  start(): void {
    this.#run ??= this.#keepGoing();
  }

  /** Nothing is read and nothing is told any more when it resolves. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the reflector was stopped"));
    await this.#run;
    this.#synced.reject(new Error("the reflector was stopped before its first list"));
  }

  async #keepGoing(): Promise<void> {
    const { signal } = this.#stop;
    let version: string | undefined;
    while (!signal.aborted) {
      const phase = version === undefined ? "list" : "watch";
      try {
        if (version === undefined) {
          version = await this.#list(signal);
          this.#synced.resolve();
        } else {
          version = await this.#watch(version, signal);
        }
      } catch (error) {
        if (signal.aborted) return;
        const trouble = error instanceof Error ? error : new Error(String(error));
        if (trouble instanceof WatchBroken) version = trouble.version;
        if (isExpired(trouble)) version = undefined;
        // A server that was away and has forgotten the version is back: how long it was away says nothing of when to list. It does when that repeats.
        if (isExpired(trouble) && !this.#wasExpired) this.#backoff.reset();
        this.#wasExpired = isExpired(trouble);
        const wanted =
          trouble instanceof ApiError ? trouble.retryAfterMs : trouble.cause instanceof ApiError ? trouble.cause.retryAfterMs : undefined;
        const retryMs = Math.max(this.#backoff.next(), wanted ?? 0);
        this.#options.onTrouble?.({ phase, error: trouble, retryMs });
        await this.#options.clock.sleep(retryMs, signal).catch(() => undefined);
      }
    }
  }

  #query() {
    const { labelSelector, fieldSelector } = this.#options;
    return { labelSelector, fieldSelector };
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, resource, namespace, store, prune, pageSize } = this.#options;
    this.#counters.lists += 1;
    // An empty store has nothing that the list could fail to mention: the first list of a large cluster is the one that must not cost memory.
    const keys = store.size === 0 ? undefined : new Set<string>();
    let next: string | undefined;
    for (;;) {
      const where = pageSize === undefined ? { resourceVersion: "0" } : { limit: pageSize, continue: next };
      const answer = await client.call({ method: "GET", path: pathOf(resource, namespace), query: { ...this.#query(), ...where }, signal });
      const page = pageSchema.parse(answer);
      for (const item of page.items ?? []) {
        const object = prune(item);
        if (object === undefined) continue;
        keys?.add(keyOf(object));
        store.set(object);
      }
      next = page.metadata.continue;
      if (next === undefined || next === "") {
        if (keys !== undefined) store.keepOnly(keys);
        return page.metadata.resourceVersion;
      }
    }
  }

  /** Watches until the server ends it; answers the version to go on from. */
  async #watch(from: string, signal: AbortSignal): Promise<string> {
    const { client, clock, random, resource, namespace, silenceMs = 90_000 } = this.#options;
    this.#counters.watches += 1;
    const silence = new AbortController();
    let cancel = () => {};
    const listen = () => {
      cancel();
      cancel = clock.after(silenceMs, () => silence.abort(new Error(`the watch said nothing for ${silenceMs} ms`)));
    };
    let version = from;
    const began = clock.monotonicMs();
    listen();
    try {
      const stream = await client.open({
        method: "GET",
        path: pathOf(resource, namespace),
        query: {
          ...this.#query(),
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion: from,
          timeoutSeconds: Math.round(watchSeconds.least + watchSeconds.spread * random.next()),
        },
        signal: AbortSignal.any([signal, silence.signal]),
      });
      for await (const line of lines(stream.body)) {
        if (signal.aborted) return version;
        listen();
        version = this.#take(line);
        // What is told is progress, and the next trouble a new one.
        this.#backoff.reset();
      }
    } catch (error) {
      if (signal.aborted) return version;
      throw new WatchBroken(version, silence.signal.aborted ? silence.signal.reason : error);
    } finally {
      cancel();
    }
    // A server that ends every watch at once is in trouble, too.
    if (version === from && clock.monotonicMs() - began < 1000) throw new WatchBroken(version, new Error("the watch ended at once"));
    this.#backoff.reset();
    return version;
  }

  /** One event; answers the version it brought. */
  #take(line: string): string {
    const { store, prune } = this.#options;
    const { type, object } = eventSchema.parse(JSON.parse(line));
    if (type === "ERROR") {
      const { code = 0, reason, message } = errorSchema.parse(object);
      throw new ApiError("watch", code, { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) });
    }
    const { metadata } = versionSchema.parse(object);
    if (type === "BOOKMARK") return metadata.resourceVersion;
    this.#counters.events += 1;
    const pruned = type === "DELETED" ? undefined : prune(object);
    if (pruned !== undefined) store.set(pruned);
    // Deleted, or of no interest any more.
    else store.delete(metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`);
    return metadata.resourceVersion;
  }
}

/** A watch ended in trouble; what it told before counts. */
class WatchBroken extends Error {
  override readonly name = "WatchBroken";
  readonly version: string;

  constructor(version: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.version = version;
  }
}

function isExpired(error: Error): boolean {
  return (error instanceof ApiError && error.expired) || (error.cause instanceof ApiError && error.cause.expired);
}
