import type { Clock, CloudError, DegradationLevel } from "@terway/model";

const firstRestMs = 10_000;

export interface DegradationOptions {
  readonly clock: Clock;
  /** Calls that fail one after another until nothing is released (`l1`) or called (`l0`) any more; undefined: never. Asked at each call. */
  readonly thresholds: () => { readonly l1: number; readonly l0: number } | undefined;
  readonly onChange?: (level: DegradationLevel, reason: string) => void;
  /** How long nothing is called before one call tries; doubled with each that fails, up to `mostRestMs`. */
  readonly restMs?: number;
  readonly mostRestMs?: number;
}

/**
 * Finds out by the calls themselves how much of the cloud can be used. What counts as failure is that it does not answer, or not well: no answer, 5xx, throttling; a
 * refusal is an answer. It is entered at a number of failures in a row and left at as many successes, so that it does not flap.
 */
export class Degradation {
  readonly #options: DegradationOptions;
  #level: DegradationLevel = "none";
  #reason = "";
  #failures = 0;
  #successes = 0;
  #restMs: number;
  #triedMs = 0;

  constructor(options: DegradationOptions) {
    this.#options = options;
    this.#restMs = options.restMs ?? firstRestMs;
  }

  /** As it is; for metrics and people. */
  get level(): DegradationLevel {
    return this.#level;
  }

  /** Why it is as it is; empty while it never was otherwise. */
  get reason(): string {
    return this.#reason;
  }

  /** What holds for the call that asks: when nothing has been called for long enough, one may try. */
  forCall(): DegradationLevel {
    if (this.#options.thresholds() === undefined) this.#enter("none", "it was switched off");
    if (this.#level !== "l0") return this.#level;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#triedMs < this.#restMs) return "l0";
    this.#triedMs = nowMs;
    return "l1";
  }

  /** How a call that was sent ended. */
  record(error: CloudError | undefined): void {
    const thresholds = this.#options.thresholds();
    if (thresholds === undefined) return;
    const failed = error !== undefined && (error.class === "transient" || error.class === "unknown" || error.class === "throttled");
    if (failed) this.#failed(thresholds, error);
    else this.#succeeded(thresholds);
  }

  #failed({ l1, l0 }: { readonly l1: number; readonly l0: number }, error: CloudError): void {
    this.#successes = 0;
    this.#failures += 1;
    if (this.#level === "l0") {
      this.#restMs = Math.min(this.#options.mostRestMs ?? 300_000, this.#restMs * 2);
      return;
    }
    const reason = `${this.#failures} calls have failed one after another, the last with ${error.code}`;
    if (this.#failures >= l0) {
      this.#triedMs = this.#options.clock.monotonicMs();
      this.#restMs = this.#options.restMs ?? firstRestMs;
      this.#enter("l0", reason);
    } else if (this.#failures >= l1) this.#enter("l1", reason);
  }

  #succeeded({ l1 }: { readonly l1: number }): void {
    this.#failures = 0;
    this.#successes += 1;
    if (this.#level === "l0") {
      this.#successes = 1;
      this.#enter("l1", "a call has succeeded");
    }
    if (this.#level === "l1" && this.#successes >= l1) this.#enter("none", `${this.#successes} calls have succeeded one after another`);
  }

  #enter(level: DegradationLevel, reason: string): void {
    if (level === this.#level) return;
    this.#level = level;
    this.#reason = reason;
    if (level === "none") this.#failures = 0;
    this.#options.onChange?.(level, reason);
  }
}
