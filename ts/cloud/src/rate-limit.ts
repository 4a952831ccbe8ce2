import type { Clock } from "@terway/model";

/**
 * Token bucket for each operation that gives way when the cloud throttles: the account's quota is shared with every other node and tool, so
 * the true share of this process is found by halving at a refusal and growing slowly with each success (AIMD).
 *
 * Limit L per minute: the bucket holds L × share and fills with L × share a minute.
 */
export class RateLimit {
  readonly #clock: Clock;
  readonly #limits: (action: string) => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `limits` is asked at each use, so a changed configuration counts at once. */
  constructor(clock: Clock, limits: (action: string) => number) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Resolves when a call may be sent, in the order of asking. Rejects with the signal's reason. */
  async take(action: string, signal?: AbortSignal): Promise<void> {
    const bucket = this.#bucket(action);
    const turn = bucket.tail;
    let done = () => {};
    bucket.tail = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await turn;
      signal?.throwIfAborted();
      for (;;) {
        const waitMs = this.#fill(action, bucket);
        if (waitMs <= 0) break;
        await this.#clock.sleep(waitMs, signal);
      }
      bucket.tokens -= 1;
    } finally {
      done();
    }
  }

  succeeded(action: string): void {
    const bucket = this.#bucket(action);
    bucket.share = Math.min(1, bucket.share + growth);
  }

  /** The cloud refused a call as too many: the bucket is emptied and fills at half the speed. */
  throttled(action: string): void {
    const bucket = this.#bucket(action);
    const nowMs = this.#clock.monotonicMs();
    // Calls that were under way together tell the same news once.
    if (nowMs < bucket.deafUntilMs) return;
    bucket.deafUntilMs = nowMs + 1000;
    bucket.share = Math.max(smallestShare, bucket.share / 2);
    bucket.tokens = 0;
    bucket.filledAtMs = nowMs;
  }

  #bucket(action: string): Bucket {
    let bucket = this.#buckets.get(action);
    if (bucket === undefined) {
      bucket = { tokens: this.#limits(action), filledAtMs: this.#clock.monotonicMs(), share: 1, deafUntilMs: 0, tail: Promise.resolve() };
      this.#buckets.set(action, bucket);
    }
    return bucket;
  }

  /** Milliseconds until the bucket holds a whole token. */
  #fill(action: string, bucket: Bucket): number {
    const nowMs = this.#clock.monotonicMs();
    const perMs = (this.#limits(action) * bucket.share) / 60_000;
    const capacity = Math.max(1, this.#limits(action) * bucket.share);
    bucket.tokens = Math.min(capacity, bucket.tokens + (nowMs - bucket.filledAtMs) * perMs);
    bucket.filledAtMs = nowMs;
    // The sum of many small additions may stay below 1 by a rounding error; a thousandth of a token is not worth a timer.
    return bucket.tokens >= 0.999 ? 0 : Math.max(1, (1 - bucket.tokens) / perMs);
  }
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
  /** Part of the limit that the cloud seems to leave to this process. */
  share: number;
  deafUntilMs: number;
  /** Settles when the one who waits before has its token. */
  tail: Promise<void>;
}

const growth = 0.02;
const smallestShare = 1 / 32;
