import {
  type Clock,
  type Cloud,
  CloudError,
  type CloudErrorClass,
  type EniConf,
  type EventSink,
  type PoolConfig,
  type Random,
} from "@terway/model";
import type { InstanceFacts } from "./instance.ts";
import { writeFacts } from "./instance.ts";
import type { Logger } from "./log.ts";
import type { NodeLink } from "./node-link.ts";
import { poolConfig } from "./pool-config.ts";
import { retry } from "./retry.ts";

export interface InstanceLinkOptions {
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly events: EventSink;
  readonly stateDir: string;
  readonly coolDownMs: number;
  /** Pods of this node have whole ENIs. */
  readonly exclusive: boolean;
  readonly conf: () => EniConf;
  readonly apply: (config: PoolConfig) => void;
}

const hopeless: ReadonlySet<CloudErrorClass> = new Set(["denied", "invalid", "gone"]);

/** Keeps the pool's bounds equal to configuration and instance type, and says why they are unknown while they are. */
export class InstanceLink implements NodeLink {
  readonly #options: InstanceLinkOptions;
  #facts: InstanceFacts;
  #configured = false;
  #said: string | undefined;
  #wake: (() => void) | undefined;
  readonly #settled = Promise.withResolvers<void>();

  constructor(facts: InstanceFacts, options: InstanceLinkOptions) {
    this.#facts = facts;
    this.#options = options;
    this.reconfigure();
  }

  get facts(): InstanceFacts {
    return this.#facts;
  }

  /** Resolves when the bounds are known, or when the cloud has refused to tell them for a cause that waiting does not cure. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Complete sentence while the pool may neither grow nor shrink. */
  unready(): string | undefined {
    if (this.#configured) return undefined;
    return (
      this.#said ??
      `the limits of instance type ${this.#facts.identity.instanceType} are not known yet; DescribeInstanceTypes has not been answered`
    );
  }

  /** Configuration or facts have changed. */
  reconfigure(): void {
    const { conf, log, events, coolDownMs, exclusive, apply } = this.#options;
    const { identity, limits, primarySecurityGroupIds } = this.#facts;
    this.#wake?.();
    const groups = conf().securityGroupIds.length > 0 ? [] : primarySecurityGroupIds;
    if (limits === undefined || groups === undefined) return;
    const { config, reductions } = poolConfig({
      conf: conf(),
      identity,
      limits,
      primarySecurityGroupIds: groups,
      coolDownMs,
      exclusive,
    });
    for (const reduction of reductions) {
      log.warn(reduction);
      events.emit("ConfigError", { kind: "Node" }, reduction);
    }
    this.#configured = true;
    this.#settled.resolve();
    apply(config);
    log.info(
      { minIdle: config.minIdle, maxIdle: config.maxIdle, maxEnis: config.maxEnis, vSwitchIds: config.vSwitchIds },
      "bounds of the pool",
    );
  }

  /** Reads what the cloud says of this instance, until it has answered once in this process. */
  async run(signal: AbortSignal): Promise<void> {
    const { cloud, clock, random, stateDir, log } = this.#options;
    const { identity } = this.#facts;
    const read = async () => {
      const limits = await cloud.describeInstanceType(identity.instanceType, signal);
      const enis = await cloud.describeEnis({ instanceId: identity.instanceId }, signal);
      const primary = enis.find((eni) => eni.type === "Primary");
      return { limits, primarySecurityGroupIds: primary?.securityGroupIds ?? [] };
    };
    const fresh = await retry(read, {
      clock,
      random,
      firstMs: 1_000,
      maxMs: 30_000,
      signal,
      changed: () => new Promise((resolve) => (this.#wake = resolve)),
      onFailure: (error) => this.#say(error),
    });
    if (fresh === undefined) return;
    if (this.#said !== undefined) log.info("the cloud answers again");
    this.#said = undefined;
    this.#facts = { identity, ...fresh };
    await writeFacts(stateDir, this.#facts).catch((error: unknown) =>
      log.warn({ err: error }, "what is known of this instance cannot be kept"),
    );
    this.reconfigure();
  }

  /** Each cause once, however often it comes: a denied call repeats for hours. */
  #say(error: unknown): void {
    if (error instanceof CloudError && hopeless.has(error.class)) this.#settled.resolve();
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#said) return;
    this.#said = message;
    const fields =
      error instanceof CloudError
        ? { code: error.code, class: error.class, action: error.action, requestId: error.requestId }
        : { err: error };
    this.#options.log.warn(fields, message);
    this.#options.events.emit("SyncOpenAPIFailed", { kind: "Node" }, message);
  }
}
