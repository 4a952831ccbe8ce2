import { ApiError, WorkQueue } from "@terway/kube";
import type { Clock, Random } from "@terway/model";
import type { Logger } from "../log.ts";
import type { Metrics } from "./metrics.ts";

/** Work that only the leader does, from `start` to `stop`. */
export interface Controller {
  readonly name: string;
  start(): void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

export interface KeyedControllerOptions {
  readonly name: string;
  readonly workers: number;
  /**
   * Brings what the key names nearer to what it shall be, and never waits for something slow to end: what ends later comes back as a change or by the
   * answered delay in milliseconds. A rejection brings the key back after a growing delay.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  /** Listens to whatever makes a key worth a look, those that are there at the start included; answers how to stop. */
  readonly sources: readonly ((enqueue: (key: string) => void) => () => void)[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Delay after a key's first failure and the longest one; default 500 ms and 60 s. */
  readonly firstMs?: number;
  readonly mostMs?: number;
}

/** Somebody else was first; what they wrote is seen soon. */
const conflictMs = 100;

export interface KeyedController extends Controller {
  /** The key is worth a look. */
  enqueue(key: string): void;
}

/** A controller over a work queue of keys. */
export function keyedController(options: KeyedControllerOptions): KeyedController {
  const { name, workers, clock, random, log, metrics, reconcile, firstMs = 500, mostMs = 60_000 } = options;
  const queue = new WorkQueue({
    ...{ clock, random, workers, firstMs, mostMs },
    work: async (key, signal) => {
      const begun = clock.monotonicMs();
      try {
        const again = await reconcile(key, signal);
        metrics.reconciled(name, "success", clock.monotonicMs() - begun);
        return again;
      } catch (error) {
        if (error instanceof ApiError && error.status === 409) return conflictMs;
        metrics.reconciled(name, "error", clock.monotonicMs() - begun);
        throw error;
      }
    },
    onFailure: (key, error, retryMs) =>
      log.warn({ controller: name, key, retryMs: Math.round(retryMs) }, error instanceof Error ? error.message : String(error)),
  });
  let ends: (() => void)[] = [];
  return {
    name,
    enqueue: (key) => queue.add(key),
    start() {
      metrics.queue(name, () => queue.depth, workers);
      ends = options.sources.map((source) => source((key) => queue.add(key)));
    },
    async stop() {
      for (const end of ends) end();
      await queue.stop();
    },
  };
}
