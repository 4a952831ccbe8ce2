import { apply, type KubeClient } from "@terway/kube";
import type { Clock, EniConf, EventSink, Lease, NodeModes, PoolConfig } from "@terway/model";
import { nodeResources } from "../cluster/kinds.ts";
import type { InstanceFacts } from "../instance.ts";
import type { Logger } from "../log.ts";
import type { NodeLink } from "../node-link.ts";
import type { Pods } from "../pods.ts";
import { poolConfig } from "../pool-config.ts";
import { contains, limitsOf, nodeSpec } from "./node-spec.ts";
import type { OwnResource } from "./own-resource.ts";

const fieldManager = "terwayd";
const retryMs = 2_000;
/** The object is compared this often although nothing changed: somebody may have edited it. */
const lookMs = 30_000;
/** A pod that runs shows its addresses within seconds; one that does not by then has other troubles. */
const shownWithinMs = 30_000;

export interface CentralLinkOptions {
  readonly client: KubeClient;
  readonly own: OwnResource;
  readonly pods: Pods;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventSink;
  readonly coolDownMs: number;
  readonly exclusive: boolean;
  readonly modes: NodeModes;
  readonly conf: () => EniConf;
  readonly leases: () => readonly Lease[];
  readonly apply: (config: PoolConfig) => void;
}

/** Tells the control plane what this node wants, and takes from it what the instance type allows. Asks the cloud nothing. */
export class CentralLink implements NodeLink {
  readonly #identity: InstanceFacts["identity"];
  readonly #options: CentralLinkOptions;
  readonly #settled = Promise.withResolvers<void>();
  #bounds: PoolConfig | undefined;
  #applied: string | undefined;
  #wake: (() => void) | undefined;

  constructor({ identity }: InstanceFacts, options: CentralLinkOptions) {
    this.#identity = identity;
    this.#options = options;
  }

  get facts(): InstanceFacts {
    const limits = limitsOf(this.#options.own.object?.spec);
    return { identity: this.#identity, ...(limits === undefined ? {} : { limits }) };
  }

  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  unready(): string | undefined {
    const { own } = this.#options;
    if (own.object === undefined) return `there is no Node ${own.name} of centralized IPAM yet`;
    return own.nics === undefined ? `Node ${own.name} of centralized IPAM is not filled in yet; terway-controlplane does that` : undefined;
  }

  reconfigure(): void {
    const { conf, coolDownMs, exclusive, log, events } = this.#options;
    const { identity, limits } = this.facts;
    this.#wake?.();
    if (limits === undefined) return;
    const { config, reductions } = poolConfig({ conf: conf(), identity, limits, primarySecurityGroupIds: [], coolDownMs, exclusive });
    if (JSON.stringify(config) === JSON.stringify(this.#bounds)) return;
    this.#bounds = config;
    for (const reduction of reductions) {
      log.warn(reduction);
      events.emit("ConfigError", { kind: "Node" }, reduction);
    }
    this.#options.apply(config);
    this.#settled.resolve();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { own, log } = this.#options;
    await Promise.race([this.#podsShown(signal), new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))]);
    const ignore = own.onChange(() => this.reconfigure());
    let trouble = "";
    while (!signal.aborted) {
      this.reconfigure();
      try {
        await this.#apply();
        trouble = "";
        await this.#pause(lookMs, signal);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== trouble) log.warn(`Node ${own.name} of centralized IPAM cannot be written: ${message}`);
        trouble = message;
        await this.#pause(retryMs, signal);
      }
    }
    ignore();
  }

  /**
   * A pod that got its address from this node itself is known to the control plane by what the kubelet reports of it. Until that stands there, the control
   * plane is not told to begin: it would promise the address to another pod.
   */
  async #podsShown(signal: AbortSignal): Promise<void> {
    const { pods, leases, clock, own } = this.#options;
    await Promise.all([pods.synced, own.synced]);
    const endMs = clock.monotonicMs() + shownWithinMs;
    const isShown = ({ sandbox: { podNamespace: namespace, podName: name, podUid: uid }, state, ipv4, ipv6 }: Lease) => {
      const pod = pods.known({ namespace, name, ...(uid === undefined ? {} : { uid }) });
      const addresses = pod?.status?.podIPs?.map(({ ip }) => ip) ?? [];
      return pod === undefined || state === "releasing" || addresses.includes(ipv4?.address ?? ipv6?.address ?? "");
    };
    while (!signal.aborted && clock.monotonicMs() < endMs && !leases().every(isShown)) await clock.sleep(500, signal).catch(() => {});
  }

  async #apply(): Promise<void> {
    const { client, own, conf, modes, exclusive } = this.#options;
    const trunk = conf().modeKeys.trunking === true && !exclusive && this.facts.limits?.trunkSupported === true;
    const spec = nodeSpec({ conf: conf(), identity: this.#identity, bounds: this.#bounds, modes, trunk });
    const text = JSON.stringify([own.object?.metadata.uid, spec]);
    if (text === this.#applied && own.object !== undefined && contains(own.object.spec, spec)) return;
    await apply(client, { resource: nodeResources.resource, name: own.name }, { spec }, { fieldManager, force: true });
    this.#applied = text;
  }

  async #pause(mostMs: number, signal: AbortSignal): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([woken, this.#options.clock.sleep(mostMs, signal).catch(() => {})]);
    this.#wake = undefined;
  }
}
