import { type Clock, systemClock } from "@terway/model";

/** The platform's clock, so many times as fast: for tests that talk to a real server but cannot wait for real delays. */
export function fastClock(times: number): Clock {
  return {
    wallMs: () => systemClock.wallMs() * times,
    monotonicMs: () => systemClock.monotonicMs() * times,
    after: (delayMs, task) => systemClock.after(delayMs / times, task),
    sleep: (delayMs, signal) => systemClock.sleep(delayMs / times, signal),
  };
}
