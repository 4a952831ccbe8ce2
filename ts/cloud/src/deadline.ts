import type { Clock } from "@terway/model";

/** Thrown when `run` took too long or was cancelled; what it still does has an unknown outcome. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  readonly code: "Timeout" | "Aborted" | "NotSent";

  constructor(code: "Timeout" | "Aborted" | "NotSent", message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Settles as `run` does, but no later than `timeoutMs` from now and no later than the abort. The SDK knows no AbortSignal and its own timers
 * can be cleared by another call on the same socket (reference: section 5), so this is the only limit that holds.
 */
export function withDeadline<T>(clock: Clock, timeoutMs: number, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new DeadlineError("NotSent", "given up before it was sent"));
      return;
    }
    const onAbort = () => settle(() => reject(new DeadlineError("Aborted", "given up while waiting for the answer")));
    const cancel = clock.after(timeoutMs, () => settle(() => reject(new DeadlineError("Timeout", `no answer within ${timeoutMs} ms`))));
    const settle = (outcome: () => void) => {
      cancel();
      signal?.removeEventListener("abort", onAbort);
      outcome();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    run().then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
