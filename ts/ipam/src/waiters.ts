import type { Clock } from "@terway/model";

export interface Waiter<T, F> {
  readonly leaseId: string;
  /** Wants one value and no other, so that it stands in nobody's way and nobody in its. */
  readonly apart: boolean;
  /** Monotonic. */
  readonly deadlineMs: number;
  readonly serve: (value: T) => void;
  readonly fail: (failure: F) => void;
}

/** Who waits for an address, first come, first served. Each one leaves once: served, refused, or late. */
export class Waiters<T, F> {
  private readonly clock: Clock;
  private readonly timeout: (waiter: Waiter<T, F>) => F;
  private queue: { waiter: Waiter<T, F>; cancelTimer: () => void }[] = [];

  constructor(clock: Clock, timeout: (waiter: Waiter<T, F>) => F) {
    this.clock = clock;
    this.timeout = timeout;
  }

  /** Those in line; who stands apart does not count. */
  get length(): number {
    let count = 0;
    for (const { waiter } of this.queue) if (!waiter.apart) count += 1;
    return count;
  }

  /** Waits in line; answers what the waiter gets. */
  join(leaseId: string, deadlineMs: number, apart = false): Promise<{ ok: true; value: T } | { ok: false; failure: F }> {
    return new Promise((resolve) => {
      const waiter: Waiter<T, F> = {
        leaseId,
        deadlineMs,
        apart,
        serve: (value) => resolve({ ok: true, value }),
        fail: (failure) => resolve({ ok: false, failure }),
      };
      const cancelTimer = this.clock.after(deadlineMs - this.clock.monotonicMs(), () => {
        this.queue = this.queue.filter((entry) => entry.waiter !== waiter);
        waiter.fail(this.timeout(waiter));
      });
      this.queue.push({ waiter, cancelTimer });
    });
  }

  /** Serves from the front for as long as `take` has something, and each who stands apart. */
  serve(take: (waiter: Waiter<T, F>) => T | undefined): void {
    let empty = false;
    this.queue = this.queue.filter(({ waiter, cancelTimer }) => {
      if (empty && !waiter.apart) return true;
      const value = take(waiter);
      if (value === undefined) {
        empty ||= !waiter.apart;
        return true;
      }
      cancelTimer();
      waiter.serve(value);
      return false;
    });
  }

  /** Refuses everybody of whom `isHopeless` says so; `place` counts from the front of the line, from 0; it is -1 for who stands apart. */
  refuse(isHopeless: (waiter: Waiter<T, F>, place: number) => boolean, failure: (waiter: Waiter<T, F>) => F): void {
    let next = 0;
    const refused = this.queue.filter(({ waiter }) => isHopeless(waiter, waiter.apart ? -1 : next++));
    if (refused.length === 0) return;
    this.queue = this.queue.filter((entry) => !refused.includes(entry));
    for (const { waiter, cancelTimer } of refused) {
      cancelTimer();
      waiter.fail(failure(waiter));
    }
  }
}
