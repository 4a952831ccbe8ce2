import type { Random } from "@terway/model";

export interface BackoffOptions {
  readonly firstMs: number;
  readonly mostMs: number;
  readonly factor: number;
  /** Share of the delay that chance adds, so that a thousand clients of one server do not come back together. */
  readonly jitter: number;
}

/** Growing delays. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #nextMs: number;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#nextMs = options.firstMs;
  }

  next(): number {
    const { mostMs, factor, jitter } = this.#options;
    const base = this.#nextMs;
    this.#nextMs = Math.min(mostMs, base * factor);
    return base * (1 + jitter * this.#random.next());
  }

  reset(): void {
    this.#nextMs = this.#options.firstMs;
  }
}
