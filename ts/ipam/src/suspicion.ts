import type { Clock } from "@terway/model";

/** Two observations that miss a thing must lie this far apart before they are believed: describes lag by up to 10 s (F33), some by more. */
export const proofMs = 30_000;
/** What we made ourselves is believed without being seen for this long. */
export const youthMs = 60_000;

/**
 * Missing things. One answer proves nothing (F53: a 200 with an empty list); a thing is gone when two answers at least {@link proofMs} apart missed
 * it and none between them showed it. Until then it is withheld: not given out, not replaced, not forgotten.
 */
export class Suspicions {
  private readonly since = new Map<string, number>();
  private readonly born = new Map<string, number>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The cloud has just given us these. */
  made(names: readonly string[]): void {
    const nowMs = this.clock.monotonicMs();
    for (const name of names) this.born.set(name, nowMs);
    if (this.born.size > 10_000) for (const [name, bornMs] of this.born) if (nowMs - bornMs > youthMs) this.born.delete(name);
  }

  /** An observation missed it. `proven`: it is gone; `young`: it cannot be expected to show yet. */
  missed(name: string): "young" | "suspect" | "proven" {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - (this.born.get(name) ?? Number.NEGATIVE_INFINITY) < youthMs) return "young";
    const sinceMs = this.since.get(name);
    if (sinceMs === undefined) {
      this.since.set(name, nowMs);
      return "suspect";
    }
    return nowMs - sinceMs >= proofMs ? "proven" : "suspect";
  }

  /** An observation showed it, or it is not of interest any more. */
  cleared(name: string): void {
    this.since.delete(name);
  }

  names(): IterableIterator<string> {
    return this.since.keys();
  }
}
