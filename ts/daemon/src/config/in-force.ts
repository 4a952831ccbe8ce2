import type { EniConf } from "@terway/model";
import type { ConflistSource } from "../conflist.ts";
import type { Configuration } from "./configuration.ts";
import { effectiveConf, pendingKeys } from "./pending.ts";

/** The configuration that counts now, and what of the newest one waits for a restart. */
export class InForce {
  readonly started: Configuration;
  #conf: EniConf;
  #newest: Configuration;
  #pending: readonly string[] = [];

  constructor(started: Configuration) {
    this.started = started;
    this.#newest = started;
    this.#conf = started.conf;
  }

  get conf(): EniConf {
    return this.#conf;
  }

  /** NetworkPolicies are enforced. */
  get networkPolicy(): boolean {
    return this.#newest.networkPolicy;
  }

  get conflist(): ConflistSource | undefined {
    return this.#newest.texts.conflist;
  }

  /** Keys by the names people wrote. */
  get pending(): readonly string[] {
    return this.#pending;
  }

  /** Answers what waits for a restart now and did not before. */
  take(changed: Configuration): readonly string[] {
    const before = this.#pending;
    this.#newest = changed;
    this.#conf = effectiveConf(this.started, changed);
    this.#pending = pendingKeys(this.started, changed);
    return this.#pending.filter((key) => !before.includes(key));
  }
}
