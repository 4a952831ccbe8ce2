import type { Clock } from "../time.ts";

/** The clock as one process of a test has it: its timers die with it, and who sleeps in it never wakes. */
export function processClock(clock: Clock, isAlive: () => boolean): Clock {
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, task) => clock.after(delayMs, () => isAlive() && task()),
    sleep: async (delayMs, signal) => {
      await clock.sleep(delayMs, signal);
      if (!isAlive()) await new Promise(() => {});
    },
  };
}
