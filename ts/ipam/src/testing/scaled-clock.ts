import type { Clock } from "@terway/model";
import { systemClock } from "@terway/model";

/** Real time that runs faster, for tests with real processes: the delays of a cloud, without waiting for them. */
export function scaledClock(factor: number): Clock {
  return {
    wallMs: () => systemClock.wallMs(),
    monotonicMs: () => systemClock.monotonicMs() * factor,
    after: (delayMs, task) => systemClock.after(delayMs / factor, task),
    sleep: (delayMs, signal) => systemClock.sleep(delayMs / factor, signal),
  };
}
