import type { Clock } from "@terway/model";

/** Time kept back for the way of the answer, so that the executable reads a reason instead of running into its own deadline. */
const answerMarginMs = 150;

/** Time kept back for the reason of a failed step: whoever does the work gives up before the call does. */
const reasonMarginMs = 50;

/** Until when the caller waits. Durations only grow shorter: retries of the executable carry what is left. */
export class Deadline {
  readonly #clock: Clock;
  readonly #atMs: number;

  constructor(clock: Clock, budgetMs: number) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs() + Math.max(budgetMs - answerMarginMs, Math.floor(budgetMs / 2));
  }

  /** Milliseconds left, at least 1: what is handed on refuses zero. */
  remainingMs(): number {
    return Math.max(1, Math.ceil(this.#atMs - this.#clock.monotonicMs()));
  }

  /** Milliseconds that one step of the work may take, so that its own reason is heard before {@link race} ends the call without one. */
  stepMs(): number {
    return Math.max(1, this.remainingMs() - reasonMarginMs);
  }

  /** The promise's outcome, or `late()` thrown when the deadline comes first; the work itself goes on. */
  async race<T>(work: Promise<T>, late: () => Error): Promise<T> {
    let cancel: () => void = () => {};
    const timeout = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(this.remainingMs(), () => reject(late()));
    });
    try {
      return await Promise.race([work, timeout]);
    } finally {
      cancel();
    }
  }
}
