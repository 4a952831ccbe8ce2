import type { Clock, IdleReclaim, Random } from "@terway/model";

/**
 * Gives back idle stock of a quiet pool, step by step: while no lease comes or goes for `afterMs`, each round lowers the ceiling of the idle stock by
 * a batch, down to the minimum; the first one comes an interval after the quiet began to count. Any lease that comes or goes ends it and the whole
 * stock is allowed again. Not durable: after a restart the quiet begins anew.
 */
export class Reclaim {
  private readonly clock: Clock;
  private readonly random: Random;
  private changedMs: number;
  private nextMs: number | undefined;
  private ceiling = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
    this.changedMs = clock.monotonicMs();
  }

  /** A lease came or went. */
  changed(): void {
    this.changedMs = this.clock.monotonicMs();
    this.nextMs = undefined;
    this.ceiling = Number.POSITIVE_INFINITY;
  }

  /** The most that may be idle now, given what is idle and the pool's own bounds. */
  maxIdle(rules: IdleReclaim | undefined, bounds: { readonly idle: number; readonly minIdle: number; readonly maxIdle: number }): number {
    const nowMs = this.clock.monotonicMs();
    if (!rules || nowMs < this.changedMs + rules.afterMs) {
      this.nextMs = undefined;
      this.ceiling = Number.POSITIVE_INFINITY;
      return bounds.maxIdle;
    }
    if (this.nextMs === undefined) this.nextMs = this.roundMs(rules);
    else if (nowMs >= this.nextMs) {
      this.nextMs = this.roundMs(rules);
      this.ceiling = Math.min(bounds.idle, bounds.maxIdle) - rules.batchSize;
    }
    return Math.min(bounds.maxIdle, Math.max(bounds.minIdle, this.ceiling));
  }

  /** When {@link maxIdle} has to be asked again, in monotonic milliseconds. */
  nextEndMs(rules: IdleReclaim | undefined): number | undefined {
    return rules && (this.nextMs ?? this.changedMs + rules.afterMs);
  }

  /** The jitter lengthens only, so that rounds of many nodes drift apart and none comes early. */
  private roundMs({ intervalMs, jitterFactor }: IdleReclaim): number {
    return this.clock.monotonicMs() + intervalMs * (1 + this.random.next() * jitterFactor);
  }
}
