import { CloudError, type DegradationLevel, degradationRule } from "@terway/model";
import type { Operation } from "./operations.ts";
import type { RateLimit } from "./rate-limit.ts";

/** One call on its way to the cloud, as the gate sees it. */
interface GatedCall {
  readonly operation: Operation;
  readonly signal?: AbortSignal | undefined;
}

/** One guard: lets the call pass by `next()`, now or later, or rejects. Sees how it ended: a {@link CloudError}, or the signal's reason. */
export type Guard = <T>(call: GatedCall, next: () => Promise<T>) => Promise<T>;

/** Guards as one, in the order in which a call meets them: rate limit, degradation, breaker, number of calls at once. */
export function gate(guards: readonly Guard[]): Guard {
  return <T>(call: GatedCall, run: () => Promise<T>) => {
    let next = run;
    for (const guard of guards.toReversed()) {
      const inner = next;
      next = () => guard(call, inner);
    }
    return next();
  };
}

export function rateGuard(limit: RateLimit): Guard {
  return async ({ operation, signal }, next) => {
    await limit.take(operation.action, signal);
    try {
      const answer = await next();
      limit.succeeded(operation.action);
      return answer;
    } catch (error) {
      if (error instanceof CloudError && error.class === "throttled") limit.throttled(operation.action);
      throw error;
    }
  };
}

/** Lets nothing be given back at L1, and nothing through at L0. `level` is asked at each call, and again when it has waited. */
export function degradationGuard(level: () => DegradationLevel): Guard {
  return async ({ operation: { action, releases } }, next) => {
    const now = level();
    if (now === "none" || (now === "l1" && releases !== true)) return next();
    throw new CloudError(`${action}: degraded to ${now.toUpperCase()}, ${degradationRule[now]} until that is over`, {
      class: "degraded",
      code: "Degraded",
      action,
    });
  };
}

/** Tells how each call that was sent ended. */
export function outcomeGuard(onOutcome: (error: CloudError | undefined) => void): Guard {
  return async (_call, next) => {
    try {
      const answer = await next();
      onOutcome(undefined);
      return answer;
    } catch (error) {
      if (error instanceof CloudError) onOutcome(error);
      throw error;
    }
  };
}

/** At most `most` calls at once: the SDK opens a socket for each (reference: section 5). */
export function concurrencyGuard(most: number): Guard {
  let running = 0;
  const waiting: (() => void)[] = [];
  const leave = () => {
    running--;
    waiting.shift()?.();
  };
  return async ({ signal }, next) => {
    while (running >= most) {
      await new Promise<void>((resolve, reject) => {
        const enter = () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        };
        const onAbort = () => {
          waiting.splice(waiting.indexOf(enter), 1);
          reject(signal?.reason);
        };
        waiting.push(enter);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    }
    running++;
    try {
      return await next();
    } finally {
      leave();
    }
  };
}
