import type { Clock, Random } from "@terway/model";
import { Backoff } from "./backoff.ts";

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Keys worked on at the same time. */
  readonly workers: number;
  /** Work for one key. A rejection brings the key back after a growing delay; a number brings it back after so many milliseconds. */
  readonly work: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  readonly onFailure?: (key: string, error: unknown, retryMs: number) => void;
  /** Delay after the first failure of a key, and the longest; default 5 ms and 1,000 s, as client-go has them. */
  readonly firstMs?: number;
  readonly mostMs?: number;
}

/**
 * Keys to be worked on, with client-go's semantics (`util/workqueue`): a key that is added many times is worked on once; never twice at the same time; added
 * while it is worked on, once more afterwards.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting: string[] = [];
  /** Wants work: waits, or was added while it is worked on. */
  readonly #dirty = new Set<string>();
  readonly #processing = new Set<string>();
  readonly #delayed = new Map<string, { readonly dueMs: number; readonly cancel: () => void }>();
  readonly #backoffs = new Map<string, Backoff>();
  readonly #stop = new AbortController();
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait; those that are worked on and those that are delayed do not count. */
  get depth(): number {
    return this.#waiting.length;
  }

  add(key: string): void {
    if (this.#stop.signal.aborted || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (this.#processing.has(key)) return;
    this.#waiting.push(key);
    this.#fill();
  }

  /** Adds the key after a delay; of several delays the shortest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    const present = this.#delayed.get(key);
    if (present !== undefined && present.dueMs <= dueMs) return;
    present?.cancel();
    const cancel = clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  /** Nothing is begun any more; resolves when nothing is worked on. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the work queue was stopped"));
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#waiting.length = 0;
    if (this.#processing.size === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  #fill(): void {
    while (this.#processing.size < this.#options.workers && !this.#stop.signal.aborted) {
      const key = this.#waiting.shift();
      if (key === undefined) return;
      this.#dirty.delete(key);
      this.#processing.add(key);
      void this.#process(key);
    }
  }

  async #process(key: string): Promise<void> {
    const { work, onFailure } = this.#options;
    try {
      const again = await work(key, this.#stop.signal);
      this.#backoffs.delete(key);
      if (again !== undefined) this.addAfter(key, again);
    } catch (error) {
      const retryMs = this.#backoffOf(key).next();
      if (!this.#stop.signal.aborted) onFailure?.(key, error, retryMs);
      this.addAfter(key, retryMs);
    }
    this.#processing.delete(key);
    if (this.#dirty.has(key) && !this.#stop.signal.aborted) this.#waiting.push(key);
    this.#fill();
    if (this.#processing.size === 0) this.#idle?.resolve();
  }

  #backoffOf(key: string): Backoff {
    let backoff = this.#backoffs.get(key);
    if (backoff === undefined) {
      const { random, firstMs = 5, mostMs = 1_000_000 } = this.#options;
      backoff = new Backoff({ firstMs, mostMs, factor: 2, jitter: 0 }, random);
      this.#backoffs.set(key, backoff);
    }
    return backoff;
  }
}
