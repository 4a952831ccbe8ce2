import { setTimeout as sleep } from "node:timers/promises";

/** Asks every 20 ms; throws when `what` is not so after `timeoutMs`. */
export async function until(what: string, timeoutMs: number, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`after ${timeoutMs / 1000} s still not so: ${what}`);
    await sleep(20);
  }
}
