import type { Clock } from "@terway/model";

interface Timer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly task: () => void;
}

/** A clock that moves only when told; timers run in the order of their times, those of one time in the order they were set. */
export class ScriptedClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  #sequence = 0;
  #timers: Timer[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Runs every timer that becomes due within `ms`; between two timers all pending promise work is done, so that timers set by it count. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      const due = timer;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.dueMs);
      due.task();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }

  #next(untilMs: number): Timer | undefined {
    return this.#timers
      .filter((timer) => timer.dueMs <= untilMs)
      .reduce<Timer | undefined>((best, timer) => {
        if (best === undefined || timer.dueMs < best.dueMs) return timer;
        return timer.dueMs === best.dueMs && timer.sequence < best.sequence ? timer : best;
      }, undefined);
  }
}

/** Lets promise work run: setImmediate comes after all microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
