import type { Clock, Random } from "@terway/model";
import type { Rest } from "./journal/record.ts";

/**
 * How long a released address still has to rest (I9). Only monotonic time counts: the wall clock may have been set in between, in either direction,
 * and neither may let an address out early nor lock it in for ever. Readings of the monotonic clock are comparable within one boot of the kernel;
 * a rest that began before this boot, or in an unknown one, begins again when this process starts.
 */
export class Quarantine {
  private readonly clock: Clock;
  private readonly bootId: string;
  private readonly startedMs: number;

  constructor(clock: Clock, random: Random, bootId: string | undefined) {
    this.clock = clock;
    // Without a boot id, readings are comparable within this process only: a mark that no other process has.
    this.bootId = bootId ?? `process-${random.uuid()}`;
    this.startedMs = clock.monotonicMs();
  }

  /** A rest that begins now. */
  begin(keptFor?: Rest["keptFor"]): Rest {
    const now = { wallMs: this.clock.wallMs(), monotonicMs: this.clock.monotonicMs(), bootId: this.bootId };
    return keptFor === undefined ? now : { ...now, keptFor };
  }

  /** Did it begin in this process, at that time or later? */
  beganSince(rest: Rest | undefined, monotonicMs: number): boolean {
    return rest !== undefined && rest.bootId === this.bootId && rest.monotonicMs >= monotonicMs;
  }

  /** Milliseconds until the rest is over; 0 when it is. What is kept for one pod rests for all others meanwhile. */
  remainingMs(rest: Rest, coolDownMs: number): number {
    return this.leftMs(rest, Math.max(coolDownMs, rest.keptFor?.ms ?? 0));
  }

  /** Is it kept for this pod now? */
  isKeptFor(rest: Rest | undefined, pod: string): boolean {
    return rest?.keptFor?.pod === pod && this.leftMs(rest, rest.keptFor.ms) > 0;
  }

  private leftMs(rest: Rest, forMs: number): number {
    const nowMs = this.clock.monotonicMs();
    const comparable = rest.bootId === this.bootId && rest.monotonicMs <= nowMs;
    return Math.max(0, (comparable ? rest.monotonicMs : this.startedMs) + forMs - nowMs);
  }
}
