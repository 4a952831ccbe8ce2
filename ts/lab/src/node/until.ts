import { setTimeout as sleep } from "node:timers/promises";
import { logTail } from "../host/log-tail.ts";
import { patient } from "../host/patience.ts";

/** Asks every 20 ms; throws when `what` is not so after `timeoutMs` (see patience.ts), with the end of the log that may tell why. */
export async function until(what: string, timeoutMs: number, condition: () => Promise<boolean>, log?: string): Promise<void> {
  const end = performance.now() + patient(timeoutMs);
  while (!(await condition())) {
    if (performance.now() > end) {
      const why = log === undefined ? "" : `: ${await logTail(log)}`;
      throw new Error(`after ${patient(timeoutMs) / 1000} s still not so: ${what}${why}`);
    }
    await sleep(20);
  }
}
