import type { Clock } from "@terway/model";

/**
 * Answers by request id. The executable sends a request whose answer was lost again under the same id: it joins the first one while that
 * runs, and gets the same answer for a while after. Failures are forgotten at once, so that a repetition tries again.
 */
export class Answers<T> {
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #limit: number;
  readonly #entries = new Map<string, { answer: Promise<T>; doneMs?: number }>();

  constructor(clock: Clock, options: { keepMs: number; limit: number }) {
    this.#clock = clock;
    this.#keepMs = options.keepMs;
    this.#limit = options.limit;
  }

  once(requestId: string, work: () => Promise<T>, keep: (answer: T) => boolean): Promise<T> {
    const now = this.#clock.monotonicMs();
    const known = this.#entries.get(requestId);
    if (known !== undefined && (known.doneMs === undefined || now - known.doneMs < this.#keepMs)) return known.answer;
    const entry: { answer: Promise<T>; doneMs?: number } = { answer: work() };
    this.#entries.delete(requestId);
    this.#entries.set(requestId, entry);
    entry.answer.then(
      (answer) => {
        if (keep(answer)) entry.doneMs = this.#clock.monotonicMs();
        else this.#forget(requestId, entry);
      },
      () => this.#forget(requestId, entry),
    );
    this.#trim(now);
    return entry.answer;
  }

  get size(): number {
    return this.#entries.size;
  }

  #forget(requestId: string, entry: { answer: Promise<T> }): void {
    if (this.#entries.get(requestId) === entry) this.#entries.delete(requestId);
  }

  /** Insertion order is age: the oldest finished ones go first; those under way stay whatever their number. */
  #trim(now: number): void {
    for (const [requestId, entry] of this.#entries) {
      const expired = entry.doneMs !== undefined && now - entry.doneMs >= this.#keepMs;
      const over = this.#entries.size > this.#limit && entry.doneMs !== undefined;
      if (!expired && !over) {
        if (entry.doneMs === undefined) continue;
        break;
      }
      this.#entries.delete(requestId);
    }
  }
}
