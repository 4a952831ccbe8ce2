import type { Clock, Random } from "@terway/model";

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly firstMs: number;
  readonly maxMs: number;
  readonly signal: AbortSignal;
  /** Each failure, with the time until the next attempt. */
  readonly onFailure: (error: unknown, delayMs: number) => void;
  /** Resolves when something changed that makes an attempt at once worth while. */
  readonly changed?: () => Promise<void>;
}

/** Repeats `work` until it succeeds, with growing, jittered pauses. Undefined when the signal ends it. */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T | undefined> {
  let delayMs = options.firstMs;
  while (!options.signal.aborted) {
    try {
      return await work();
    } catch (error) {
      if (options.signal.aborted) return undefined;
      const jittered = delayMs * (0.8 + 0.4 * options.random.next());
      options.onFailure(error, jittered);
      const wake = new AbortController();
      const stop = AbortSignal.any([options.signal, wake.signal]);
      void options.changed?.().then(() => wake.abort());
      await options.clock.sleep(jittered, stop).catch(() => {});
      delayMs = Math.min(delayMs * 2, options.maxMs);
    }
  }
  return undefined;
}
