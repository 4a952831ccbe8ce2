import { Degradation } from "@terway/cloud";
import type { Clock, CloudError, DegradationLevel } from "@terway/model";
import type { DegradationConfig } from "../config/ctrl-config.ts";

/** How much of the cloud is used: by hand where the configuration names a level, else as the calls themselves find it. */
export class DegradationLevels {
  readonly #automatic: Degradation;
  readonly #listeners = new Set<() => void>();
  #config: DegradationConfig;

  constructor(clock: Clock, config: DegradationConfig) {
    this.#config = config;
    this.#automatic = new Degradation({
      clock,
      thresholds: () => (this.#config.level === "none" ? this.#config.thresholds : undefined),
      onChange: () => this.#tell(),
    });
  }

  get level(): DegradationLevel {
    return this.#config.level === "none" ? this.#automatic.level : this.#config.level;
  }

  get reason(): string {
    return this.#config.level === "none" ? this.#automatic.reason : "by hand, with key degradation of ctrl-config.yaml";
  }

  /** What holds for the call that asks. */
  forCall(): DegradationLevel {
    return this.#config.level === "none" ? this.#automatic.forCall() : this.#config.level;
  }

  /** How a call that was sent ended. */
  record(error: CloudError | undefined): void {
    this.#automatic.record(error);
  }

  /** The configuration has changed. */
  configure(config: DegradationConfig): void {
    const same = JSON.stringify(config) === JSON.stringify(this.#config);
    this.#config = config;
    if (!same) this.#tell();
  }

  /** Told after each change; answers how to stop. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
