import type { Clock, Random } from "@terway/model";

/** Waits between attempts: from `firstMs`, doubling, to `maxMs`. */
export interface BackoffSteps {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** The n-th wait (from 0) with full jitter in its upper half, so that a thousand nodes that were refused together do not come back together. */
export function backoffMs(steps: BackoffSteps, attempt: number, random: Random): number {
  const ceilingMs = Math.min(steps.maxMs, steps.firstMs * 2 ** Math.min(attempt, 30));
  return ceilingMs * (0.5 + random.next() / 2);
}

/** Things that were refused and have to be left alone for a while, by key. */
export class Backoffs {
  private readonly entries = new Map<string, { failures: number; untilMs: number }>();
  private readonly clock: Clock;
  private readonly random: Random;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  /** One more refusal. `atLeastMs` is what the other side asked for. */
  fail(key: string, steps: BackoffSteps, atLeastMs = 0): void {
    const failures = (this.entries.get(key)?.failures ?? 0) + 1;
    const waitMs = Math.max(atLeastMs, backoffMs(steps, failures - 1, this.random));
    this.entries.set(key, { failures, untilMs: this.clock.monotonicMs() + waitMs });
  }

  succeed(key: string): void {
    this.entries.delete(key);
  }

  /** Ends the wait but remembers how often it was refused: the cause may be gone, the next refusal waits as long as it would have. */
  retryNow(key: string): void {
    const entry = this.entries.get(key);
    if (entry) this.entries.set(key, { ...entry, untilMs: 0 });
  }

  isWaiting(key: string): boolean {
    return (this.entries.get(key)?.untilMs ?? 0) > this.clock.monotonicMs();
  }

  /** When the next wait ends, in monotonic milliseconds. */
  nextEndMs(): number | undefined {
    const nowMs = this.clock.monotonicMs();
    let nextMs: number | undefined;
    for (const { untilMs } of this.entries.values()) {
      if (untilMs > nowMs && (nextMs === undefined || untilMs < nextMs)) nextMs = untilMs;
    }
    return nextMs;
  }
}
