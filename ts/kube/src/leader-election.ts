import type { Clock } from "@terway/model";
import { z } from "zod";
import { ApiError } from "./api-error.ts";
import type { KubeClient } from "./client.ts";
import { pathOf, type Resource } from "./resource.ts";

const leases: Resource = { apiVersion: "coordination.k8s.io/v1", plural: "leases", kind: "Lease", namespaced: true };

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates, for example `<pod name>_<uuid>`. */
  readonly identity: string;
  /** client-go's defaults: 15 s, 10 s, 2 s. */
  readonly leaseMs?: number;
  readonly renewMs?: number;
  readonly retryMs?: number;
  /** Leads from here on; must have stopped everything when the signal is aborted. */
  readonly onLead: (signal: AbortSignal) => void;
  /** Leads no more: another one may have begun already. */
  readonly onLost: (reason: string) => void;
  readonly onTrouble?: (error: unknown) => void;
}

const leaseSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
    })
    .default({}),
});
type Lease = z.infer<typeof leaseSchema>;

/**
 * One of several candidates leads, by a Lease that it renews; interoperable with client-go (`tools/leaderelection`). A holder counts as gone when its
 * record has not changed for the lease's duration by our own clock: clocks of others are never compared.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #stop = new AbortController();
  #run: Promise<void> | undefined;
  #observed: { readonly version: string; readonly atMs: number } | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#run ??= this.#campaign();
  }

  /** Stops leading first, then gives the lease back, so that the next one need not wait for its end. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the candidate was stopped"));
    await this.#run;
  }

  async #campaign(): Promise<void> {
    const { clock, retryMs = 2000, renewMs = 10_000, onLead, onLost, onTrouble } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      // What counts is when the request left: its lease may have run out by the time a late answer says that it was ours.
      let renewedMs = clock.monotonicMs();
      if (!(await this.#attempt()) || clock.monotonicMs() - renewedMs >= renewMs) {
        await clock.sleep(retryMs, signal).catch(() => undefined);
        continue;
      }
      const leading = new AbortController();
      onLead(leading.signal);
      let reason = "the candidate was stopped";
      while (!signal.aborted) {
        const leftMs = renewedMs + renewMs - clock.monotonicMs();
        await clock.sleep(Math.max(0, Math.min(retryMs, leftMs)), signal).catch(() => undefined);
        if (signal.aborted) break;
        const begunMs = clock.monotonicMs();
        // An answer that comes after the deadline is no renewal in time.
        const outcome = await this.#within(renewedMs + renewMs - begunMs, () => this.#attempt());
        if (outcome === true) renewedMs = begunMs;
        else if (outcome === false && this.#heldByOther) {
          reason = "another candidate holds the lease";
          break;
        } else if (clock.monotonicMs() - renewedMs >= renewMs) {
          reason = `the lease could not be renewed for ${renewMs} ms`;
          break;
        }
      }
      leading.abort(new Error(reason));
      onLost(reason);
      if (signal.aborted) await this.#release().catch((error: unknown) => onTrouble?.(error));
    }
  }

  #heldByOther = false;

  async #within(limitMs: number, work: () => Promise<boolean>): Promise<boolean | undefined> {
    const end = new AbortController();
    try {
      return await Promise.race([work(), this.#options.clock.sleep(Math.max(0, limitMs), end.signal).then(() => undefined)]);
    } finally {
      end.abort();
    }
  }

  /** Takes or renews the lease; true when it is ours. */
  async #attempt(): Promise<boolean> {
    try {
      const lease = await this.#read();
      if (lease === undefined) return await this.#create();
      const { clock, identity, leaseMs = 15_000 } = this.#options;
      const { version, atMs } = this.#observe(lease);
      const holder = lease.spec.holderIdentity ?? "";
      const heldMs = (lease.spec.leaseDurationSeconds ?? 0) * 1000 || leaseMs;
      this.#heldByOther = holder !== "" && holder !== identity;
      if (this.#heldByOther && clock.monotonicMs() - atMs < heldMs) return false;
      return await this.#write(lease, version, holder === identity);
    } catch (error) {
      this.#options.onTrouble?.(error);
      return false;
    }
  }

  #observe(lease: Lease): { version: string; atMs: number } {
    const version = lease.metadata.resourceVersion;
    if (this.#observed?.version !== version) this.#observed = { version, atMs: this.#options.clock.monotonicMs() };
    return this.#observed;
  }

  async #read(): Promise<Lease | undefined> {
    const { client, namespace, name, renewMs = 10_000 } = this.#options;
    try {
      return leaseSchema.parse(await client.call({ method: "GET", path: pathOf(leases, namespace, name), timeoutMs: renewMs }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #create(): Promise<boolean> {
    const { client, namespace, name } = this.#options;
    const body = { apiVersion: leases.apiVersion, kind: leases.kind, metadata: { namespace, name }, spec: this.#spec(undefined) };
    return this.#won(() => client.call({ method: "POST", path: pathOf(leases, namespace), body }));
  }

  async #write(lease: Lease, resourceVersion: string, ours: boolean): Promise<boolean> {
    const { client, namespace, name } = this.#options;
    const spec = { ...lease.spec, ...this.#spec(lease, ours) };
    const body = { ...lease, apiVersion: leases.apiVersion, kind: leases.kind, metadata: { ...lease.metadata, resourceVersion }, spec };
    return this.#won(() => client.call({ method: "PUT", path: pathOf(leases, namespace, name), body }));
  }

  /** A conflict means that somebody else was first. */
  async #won(write: () => Promise<unknown>): Promise<boolean> {
    try {
      this.#observe(leaseSchema.parse(await write()));
      this.#heldByOther = false;
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return false;
      throw error;
    }
  }

  #spec(before: Lease | undefined, ours = false): object {
    const { clock, identity, leaseMs = 15_000 } = this.#options;
    const now = microTime(clock.wallMs());
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(leaseMs / 1000),
      renewTime: now,
      acquireTime: ours ? (before?.spec.acquireTime ?? now) : now,
      leaseTransitions: before === undefined ? 0 : (before.spec.leaseTransitions ?? 0) + (ours ? 0 : 1),
    };
  }

  async #release(): Promise<void> {
    const lease = await this.#read();
    if (lease?.spec.holderIdentity !== this.#options.identity) return;
    const { client, clock, namespace, name } = this.#options;
    const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: microTime(clock.wallMs()) };
    await client.call({ method: "PUT", path: pathOf(leases, namespace, name), body: { ...lease, spec } });
  }
}

/** `metav1.MicroTime`: six digits behind the point. */
function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace("Z", "000Z");
}
