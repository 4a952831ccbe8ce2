import type { Clock } from "../time.ts";

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly task: () => void;
  isCancelled: boolean;
}

/**
 * A clock that moves only when told. Timers run in the order of their due times (first set, first run, among equals), and after each one everything
 * that it set off through promises has run before the next one does, so that a run depends on nothing but its inputs.
 */
export class FakeClock implements Clock {
  private nowMs = 0;
  private wallOffsetMs: number;
  private order = 0;
  /** A binary heap, the next one first: a simulated cluster has hundreds of thousands. Cancelled ones are left out when their turn comes. */
  private timers: Timer[] = [];
  private cancelled = 0;

  constructor(startWallMs = Date.UTC(2026, 0, 1)) {
    this.wallOffsetMs = startWallMs;
  }

  wallMs(): number {
    return this.nowMs + this.wallOffsetMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer: Timer = { dueMs: this.nowMs + Math.max(0, delayMs), order: this.order++, task, isCancelled: false };
    this.push(timer);
    return () => {
      if (timer.isCancelled) return;
      timer.isCancelled = true;
      this.cancelled += 1;
      if (this.cancelled > 1_000 && this.cancelled > this.timers.length / 2) this.sweep();
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const cancel = this.after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Timers that have not run yet. */
  get pending(): number {
    return this.timers.reduce((count, timer) => count + (timer.isCancelled ? 0 : 1), 0);
  }

  /** Moves the wall clock alone, as an NTP step or an operator does. */
  jumpWall(byMs: number): void {
    this.wallOffsetMs += byMs;
  }

  /** Forgets every timer, as the death of the process that set them does. */
  dropTimers(): void {
    this.timers = [];
    this.cancelled = 0;
  }

  /** Lets `durationMs` pass. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.nowMs + durationMs;
    await settle();
    while (this.runNext(endMs)) await settle();
    this.nowMs = endMs;
  }

  /** Lets time pass until `condition` holds; throws after `limitMs` of it. */
  async advanceUntil(condition: () => boolean, limitMs = 3_600_000): Promise<void> {
    const endMs = this.nowMs + limitMs;
    await settle();
    while (!condition()) {
      if (!this.runNext(endMs)) throw new Error(`the condition did not become true within ${limitMs} ms of fake time`);
      await settle();
    }
  }

  /** Lets time pass until `promise` has settled and answers as it does; throws after `limitMs`. */
  async advanceFor<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.advanceUntil(() => settled, limitMs);
    return promise;
  }

  private runNext(endMs: number): boolean {
    for (;;) {
      const [next] = this.timers;
      if (next === undefined || (next.dueMs > endMs && !next.isCancelled)) return false;
      this.popFirst();
      if (next.isCancelled) {
        this.cancelled -= 1;
        continue;
      }
      // A cancel from now on finds nothing to leave out.
      next.isCancelled = true;
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      next.task();
      return true;
    }
  }

  private push(timer: Timer): void {
    let at = this.timers.length;
    this.timers.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.timers[parent];
      if (above === undefined || isBefore(above, timer)) break;
      this.timers[at] = above;
      at = parent;
    }
    this.timers[at] = timer;
  }

  private popFirst(): void {
    const last = this.timers.pop();
    if (last === undefined || this.timers.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      const [one, other] = [this.timers[left], this.timers[right]];
      const [child, below] = other !== undefined && isBefore(other, one) ? [right, other] : [left, one];
      if (below === undefined || isBefore(last, below)) break;
      this.timers[at] = below;
      at = child;
    }
    this.timers[at] = last;
  }

  private sweep(): void {
    const alive = this.timers.filter(({ isCancelled }) => !isCancelled);
    this.dropTimers();
    for (const timer of alive) this.push(timer);
  }
}

function isBefore(a: Timer, b: Timer | undefined): boolean {
  return b === undefined || a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** Resolves when every promise reaction that is ready has run. Real input and output (files, sockets) is not waited for. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
