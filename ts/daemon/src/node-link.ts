import type { InstanceFacts } from "./instance.ts";

/** Where the pool's bounds come from: the cloud ({@link InstanceLink}), or the control plane. */
export interface NodeLink {
  readonly facts: InstanceFacts;
  /** Resolves when the bounds are known, or when they never will be for a cause that waiting does not cure. */
  readonly settled: Promise<void>;
  /** Complete sentence while the pool may neither grow nor shrink. */
  unready(): string | undefined;
  /** Configuration or facts have changed. */
  reconfigure(): void;
  /** Until the signal ends it. */
  run(signal: AbortSignal): Promise<void>;
}
