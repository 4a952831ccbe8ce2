import type { Clock } from "@terway/model";

export interface Waiter<T, F> {
  readonly leaseId: string;
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

  get length(): number {
    return this.queue.length;
  }

  /** Waits in line; answers what the waiter gets. */
  join(leaseId: string, deadlineMs: number): Promise<{ ok: true; value: T } | { ok: false; failure: F }> {
    return new Promise((resolve) => {
      const waiter: Waiter<T, F> = {
        leaseId,
        deadlineMs,
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

  /** Serves from the front for as long as `take` has something. */
  serve(take: (waiter: Waiter<T, F>) => T | undefined): void {
    for (let front = this.queue[0]; front; front = this.queue[0]) {
      const value = take(front.waiter);
      if (value === undefined) return;
      this.queue.shift();
      front.cancelTimer();
      front.waiter.serve(value);
    }
  }

  /** Refuses everybody of whom `isHopeless` says so; `place` counts from the front of the line, from 0. */
  refuse(isHopeless: (waiter: Waiter<T, F>, place: number) => boolean, failure: (waiter: Waiter<T, F>) => F): void {
    const refused = this.queue.filter(({ waiter }, place) => isHopeless(waiter, place));
    if (refused.length === 0) return;
    this.queue = this.queue.filter((entry) => !refused.includes(entry));
    for (const { waiter, cancelTimer } of refused) {
      cancelTimer();
      waiter.fail(failure(waiter));
    }
  }
}
