/**
 * Time and chance are handed in, never taken from the platform, so that whole days of allocation can be replayed from a seed.
 * A lint forbids the global clock, timers and random numbers in `ts/ipam`, `ts/cloud` and `ts/daemon`.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. For records and people. */
  wallMs(): number;
  /** Milliseconds since an arbitrary point; never goes back. For durations and deadlines. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. A pending timer does not keep the process alive. */
  after(delayMs: number, task: () => void): () => void;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A universally unique identifier, for client tokens and request ids. */
  uuid(): string;
}
