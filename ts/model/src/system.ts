import { randomUUID } from "node:crypto";
import type { Clock, Random } from "./time.ts";

/** The platform's clock. Only programs construct it; everything else receives a {@link Clock}. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  // CLOCK_MONOTONIC, not performance.now(): it counts from the kernel's start, so that two processes of one boot can compare their readings.
  monotonicMs() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1_000 + nanoseconds / 1e6;
  },
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, delayMs);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

/** The platform's randomness. Only programs construct it; everything else receives a {@link Random}. */
export const systemRandom: Random = { next: () => Math.random(), uuid: () => randomUUID() };
