import type { Clock } from "../time.ts";

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly task: () => void;
}

/**
 * A clock that moves only when told. Timers run in the order of their due times (first set, first run, among equals), and after each one everything
 * that it set off through promises has run before the next one does, so that a run depends on nothing but its inputs.
 */
export class FakeClock implements Clock {
  private nowMs = 0;
  private wallOffsetMs: number;
  private order = 0;
  private timers: Timer[] = [];

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
    const timer: Timer = { dueMs: this.nowMs + Math.max(0, delayMs), order: this.order++, task };
    // Kept sorted, latest first, so that the next one is popped from the end.
    let at = this.timers.length;
    while (at > 0 && isBefore(this.timers[at - 1], timer)) at -= 1;
    this.timers.splice(at, 0, timer);
    return () => {
      const index = this.timers.indexOf(timer);
      if (index >= 0) this.timers.splice(index, 1);
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
    return this.timers.length;
  }

  /** Moves the wall clock alone, as an NTP step or an operator does. */
  jumpWall(byMs: number): void {
    this.wallOffsetMs += byMs;
  }

  /** Forgets every timer, as the death of the process that set them does. */
  dropTimers(): void {
    this.timers = [];
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
    const next = this.timers.at(-1);
    if (next === undefined || next.dueMs > endMs) return false;
    this.timers.pop();
    this.nowMs = Math.max(this.nowMs, next.dueMs);
    next.task();
    return true;
  }
}

function isBefore(a: Timer | undefined, b: Timer): boolean {
  return a !== undefined && (a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order));
}

/** Resolves when every promise reaction that is ready has run. Real input and output (files, sockets) is not waited for. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
