import {
  type Attachment,
  type Clock,
  type Datapath,
  type DatapathError,
  endpointOf,
  type PolicyCounts,
  type PolicyStep,
  type PolicyView,
} from "@terway/model";
import { PolicyRenderer, type TableContents } from "@terway/policy";
import type { Cluster } from "../cluster/cluster.ts";
import type { DurableFile } from "../durable-file.ts";
import type { Logger } from "../log.ts";
import { PolicySources } from "./policy-sources.ts";
import { viewPod } from "./view.ts";

/** Unused sets and classes go when nothing has changed for so long. */
const idleMs = 10_000;
/** What did not fit, or failed, is tried again after so long. */
const retryMs = 5_000;

/** `standard`: everything passes until a pod's policy is known; `strict`: nothing but the node's packets. */
export type EnforcingMode = "standard" | "strict";

/** The sandbox that an attachment was made for. */
export interface PodOfAttachment {
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid?: string;
}

interface Endpoint {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  /** Its hooks stand on a device of its own, inside its namespace. */
  readonly ownsDevice: boolean;
  /** Its object is known, so what selects it is. */
  known: boolean;
  /** On the monotonic clock: only watched until then. */
  readonly learnsUntilMs: number;
}

/** What became of a step, for metrics. */
export interface PolicyReport {
  applied(ms: number): void;
  /** It did not fit; with what, in words. */
  full(message: string): void;
}

export interface EnforcementParts {
  readonly cluster: Cluster;
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly log: Logger;
  readonly saved: DurableFile<TableContents>;
  readonly report: PolicyReport;
  readonly mode: () => EnforcingMode;
  readonly serviceCidrs: () => readonly string[];
  /** A pod that runs when enforcement begins is only watched for so long, so that its connections are known. */
  readonly learningMs: number;
}

/**
 * NetworkPolicy on this node: keeps the kernel's tables equal to what the cluster's objects say of this node's pods. Steps are carried out one after
 * another; an ADD waits for the one with its pod.
 */
export class Enforcement {
  readonly #parts: EnforcementParts;
  readonly #sources: PolicySources;
  readonly #renderer = new PolicyRenderer();
  readonly #endpoints = new Map<number, Endpoint>();
  #running: Promise<void> = Promise.resolve();
  #wanted: Promise<void> | undefined;
  #changed = Promise.withResolvers<void>();
  #adopted = false;
  #disabled = false;
  #trouble: DatapathError | undefined;
  #services = "";

  constructor(parts: EnforcementParts, disabled: boolean) {
    this.#parts = parts;
    this.#disabled = disabled;
    this.#sources = new PolicySources(parts.cluster, () => this.#wake());
  }

  /** One line for people. */
  state(): string {
    if (this.#disabled) return "off: disable_network_policy is set; connections are remembered";
    const pods = `${this.#sources.policies} policies, ${this.#endpoints.size} pods`;
    if (!this.#sources.isSynced) return `waiting for the cluster's objects (${this.#parts.mode()} start)`;
    if (this.#trouble !== undefined) return `enforced, but the last change is not: ${this.#trouble.message}`;
    const escapable = this.escapable();
    if (escapable.length === 0) return `enforced: ${pods}`;
    return `enforced: ${pods}; with NET_ADMIN on a device of their own: ${escapable.slice(0, 10).join(", ")}${escapable.length > 10 ? ", …" : ""}`;
  }

  /** The hooks and a legal record stand in the kernel before the pod's link comes up. */
  async admit(attachment: Attachment, sandbox: PodOfAttachment): Promise<DatapathError | undefined> {
    const endpoint = endpointOf(attachment);
    const { podNamespace: namespace, podName: name, podUid } = sandbox;
    await this.#sources.fresh();
    if (!this.#endpoints.has(endpoint)) {
      const addresses = addressesOf(attachment);
      const known = await this.#sources.own(namespace, name, podUid, addresses);
      const owns = ownsDevice(attachment);
      if (owns && this.#parts.mode() === "strict" && this.#sources.compiler.isNetAdmin(namespace, name)) {
        this.#sources.compiler.disown(namespace, name);
        return { code: "unsupported", message: escapeMessage(attachment.mode) };
      }
      this.#endpoints.set(endpoint, { namespace, name, addresses, ownsDevice: owns, known, learnsUntilMs: 0 });
      this.#parts.log.debug({ endpoint, namespace, name, known }, "pod is subject to policies");
    }
    await this.#flush();
    return this.#renderer.has(endpoint) ? undefined : (this.#trouble ?? { code: "kernel", message: "the pod's policy was not written" });
  }

  /** What judges each pod, by the names of its policies; `counts` as the kernel counted them. */
  view({ verdicts, reasons }: PolicyCounts): Pick<PolicyView, "pods" | "reasons"> {
    const pods = [...this.#endpoints].map(([endpoint, { namespace, name, addresses }]) => {
      const selecting = this.#disabled ? undefined : this.#sources.compiler.selecting(namespace, name);
      return viewPod({ pod: `${namespace}/${name}`, endpoint, addresses, record: this.#renderer.record(endpoint), selecting }, verdicts);
    });
    return { pods: pods.toSorted((a, b) => (a.pod < b.pod ? -1 : 1)), reasons: [...reasons] };
  }

  /** Pods that could take their hooks away until repair puts them back: the device is their own, and they have NET_ADMIN. */
  escapable(): string[] {
    if (this.#disabled) return [];
    const pods = [...this.#endpoints.values()].filter(
      (one) => one.ownsDevice && this.#sources.compiler.isNetAdmin(one.namespace, one.name),
    );
    return [...new Set(pods.map(({ namespace, name }) => `${namespace}/${name}`))].toSorted();
  }

  /** The pod with this interface; its number when it is gone. */
  nameOf(endpoint: number): string {
    const pod = this.#endpoints.get(endpoint);
    return pod === undefined ? `interface ${endpoint}` : `${pod.namespace}/${pod.name}`;
  }

  /** Its link is gone. */
  leave(attachment: Attachment): void {
    const endpoint = endpointOf(attachment);
    const known = this.#endpoints.get(endpoint);
    this.#endpoints.delete(endpoint);
    this.#renderer.deleteEndpoint(endpoint);
    if (known === undefined) return;
    // A newer sandbox of the same pod has its own addresses.
    const newer = [...this.#endpoints.values()].some(({ namespace, name }) => namespace === known.namespace && name === known.name);
    if (!newer) this.#sources.compiler.disown(known.namespace, known.name);
    this.#wake();
  }

  /**
   * Pods that an earlier process attached. Those whose record is in the kernel go on as they were; the others were not subject to policies until now and
   * are watched for a while. Answers the latter.
   */
  async adopt(pods: readonly { readonly attachment: Attachment; readonly sandbox: PodOfAttachment }[]): Promise<readonly Attachment[]> {
    const { clock, datapath, learningMs, log, saved } = this.#parts;
    const { compiler } = this.#sources;
    const listed = await datapath.policy.list();
    if (!listed.ok) log.warn(`the policy tables cannot be read: ${listed.error.message}`);
    const listing = listed.ok ? listed.value : { blocks: [], peers: [], pods: [] };
    this.#renderer.adopt(listing, (await saved.read()) ?? { sets: [], classes: [] });
    const recorded = new Set(listing.pods.map(({ endpoint }) => endpoint));
    const fresh: Attachment[] = [];
    for (const { attachment, sandbox } of pods) {
      const endpoint = endpointOf(attachment);
      const { podNamespace: namespace, podName: name } = sandbox;
      const isNew = !recorded.has(endpoint);
      if (isNew) fresh.push(attachment);
      const addresses = addressesOf(attachment);
      // The API server is asked for none of them: they go on as they were until the watch tells, and hundreds of requests would stand before readiness.
      compiler.own(namespace, name, sandbox.podUid, addresses);
      const learnsUntilMs = isNew ? clock.monotonicMs() + learningMs : 0;
      const known = compiler.knows(namespace, name);
      this.#endpoints.set(endpoint, { namespace, name, addresses, ownsDevice: ownsDevice(attachment), known, learnsUntilMs });
    }
    this.#adopted = true;
    await this.#flush();
    return fresh;
  }

  /** Follows the objects until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    void this.#sources.synced.then(() => this.#wake());
    let tidyAtMs = Number.POSITIVE_INFINITY;
    while (!signal.aborted) {
      const waitMs = Math.max(0, Math.min(tidyAtMs, this.#nextMs()) - clock.monotonicMs());
      const timer = new AbortController();
      const end = AbortSignal.any([signal, timer.signal]);
      const woken = await Promise.race([
        this.#changed.promise.then(() => true),
        clock.sleep(Math.min(waitMs, 60_000), end).then(
          () => false,
          () => false,
        ),
      ]);
      timer.abort();
      if (signal.aborted) break;
      if (woken) {
        this.#changed = Promise.withResolvers();
        tidyAtMs = clock.monotonicMs() + idleMs;
      }
      if (!woken && clock.monotonicMs() >= tidyAtMs) {
        tidyAtMs = Number.POSITIVE_INFINITY;
        await this.#queue(() => this.#tidy());
      } else {
        await this.#flush();
      }
    }
    await this.#sources.stop();
  }

  /** Enforcement off (everything passes, connections are remembered), or on again. */
  setDisabled(disabled: boolean): void {
    if (disabled === this.#disabled) return;
    this.#disabled = disabled;
    this.#parts.log.info(disabled ? "NetworkPolicy is switched off" : "NetworkPolicy is switched on");
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
  }

  /** When something changes by itself: a learning window ends, a failed step is due again. */
  #nextMs(): number {
    const now = this.#parts.clock.monotonicMs();
    const learning = [...this.#endpoints.values()].map(({ learnsUntilMs }) => learnsUntilMs).filter((until) => until > now);
    return Math.min(...learning, this.#trouble === undefined ? Number.POSITIVE_INFINITY : now + retryMs);
  }

  /** Whoever asks while a step is on its way shares the next one. */
  #flush(): Promise<void> {
    this.#wanted ??= this.#queue(() => {
      this.#wanted = undefined;
      return this.#step();
    });
    return this.#wanted;
  }

  #queue(work: () => Promise<void>): Promise<void> {
    this.#running = this.#running.then(work).catch((error: unknown) => {
      this.#parts.log.error({ err: error }, "a change of the policy tables broke off");
    });
    return this.#running;
  }

  async #step(): Promise<void> {
    const { clock, datapath, report } = this.#parts;
    if (!this.#adopted) return;
    await this.#setServices();
    this.#take();
    const started = clock.monotonicMs();
    // Until everything is known, only the pods' own records may change: the tables of an earlier process say more than a part of the objects.
    const step = this.#sources.isSynced ? this.#renderer.step() : this.#renderer.recordsOnly();
    if (step === undefined) return this.#settled();
    const outcome = await datapath.policy.apply(step);
    if (outcome.ok) {
      report.applied(clock.monotonicMs() - started);
      if (step.sets.length > 0) await this.#save();
      return this.#settled();
    }
    this.#fail(step, outcome.error);
    // The others' changes need not wait for the set that did not fit.
    if (outcome.error.code === "full" && this.#refuse(outcome.error)) return this.#step();
    return undefined;
  }

  #settled(): void {
    if (this.#trouble !== undefined && this.#renderer.refused === 0) this.#trouble = undefined;
  }

  #fail(step: PolicyStep, error: DatapathError): void {
    const { log, report } = this.#parts;
    this.#renderer.failed(step);
    this.#trouble = error;
    if (error.code === "full") report.full(error.message);
    log.error({ object: error.object }, `NetworkPolicy: ${error.message}; what was in force stays`);
  }

  #refuse({ object }: DatapathError): boolean {
    const set = object?.startsWith("set ") ? object.slice("set ".length) : undefined;
    return set !== undefined && this.#renderer.refuse(set);
  }

  /** Hands the compiler's news, and what this node's pods must have now, to the renderer. */
  #take(): void {
    const { compiler, isSynced } = this.#sources;
    const { changed, removed } = compiler.take();
    for (const { namespace, name } of removed) this.#renderer.deletePod(namespace, name);
    for (const pod of changed) this.#renderer.setPod(pod);
    const now = this.#parts.clock.monotonicMs();
    const unknown = this.#parts.mode() === "strict" ? "held" : "tracked";
    for (const [endpoint, pod] of this.#endpoints) {
      pod.known ||= this.#sources.compiler.knows(pod.namespace, pod.name);
      const compiled = compiler.pod(pod.namespace, pod.name);
      if (this.#disabled || pod.learnsUntilMs > now) this.#renderer.setEndpoint(endpoint, { state: "tracked" });
      else if (isSynced && pod.known)
        this.#renderer.setEndpoint(endpoint, { ingress: compiled?.ingress, egress: compiled?.egress, state: "enforced" });
      // What an earlier process knew counts until this one knows more.
      else if (this.#renderer.has(endpoint)) this.#renderer.keepEndpoint(endpoint);
      else this.#renderer.setEndpoint(endpoint, { state: unknown });
    }
  }

  async #tidy(): Promise<void> {
    const { datapath, log } = this.#parts;
    // A step that failed half way leaves it open what the tables hold; sets that were refused do not, and what is swept gives them room.
    if (!this.#sources.isSynced || (this.#trouble !== undefined && this.#renderer.refused === 0)) return;
    const step = this.#renderer.compact();
    if (step !== undefined) {
      const outcome = await datapath.policy.apply(step);
      if (!outcome.ok) return this.#fail(step, outcome.error);
    }
    const swept = await datapath.policy.sweep(this.#renderer.sweep());
    if (!swept.ok) log.warn(`the policy tables cannot be swept: ${swept.error.message}`);
    else if (swept.value > 0) log.debug({ records: swept.value }, "policy tables swept");
    await this.#save();
    // What the tables name no more need not be known any more.
    if (this.#sources.compiler.prune()) this.#wake();
    if (this.#renderer.retryRefused() > 0) this.#wake();
  }

  async #save(): Promise<void> {
    await this.#parts.saved.write(this.#renderer.contents()).catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, "the contents of the policy tables cannot be saved");
    });
  }

  async #setServices(): Promise<void> {
    const cidrs = this.#parts.serviceCidrs();
    if (cidrs.join() === this.#services) return;
    const outcome = await this.#parts.datapath.policy.setServices(cidrs);
    if (outcome.ok) this.#services = cidrs.join();
    else this.#parts.log.warn(`the Service CIDRs are not known to the kernel programs: ${outcome.error.message}`);
  }
}

/** Where the node has no end of the pod's link. */
function ownsDevice({ mode }: Attachment): boolean {
  return mode === "ipvlan" || mode === "vlan" || mode === "exclusive";
}

function escapeMessage(mode: Attachment["mode"]): string {
  return `its device is its own (mode ${mode}) and a container has NET_ADMIN, so it could take the hooks of NetworkPolicy away, which a strict node does not allow; drop NET_ADMIN, or connect it by a pair`;
}

function addressesOf({ ipv4, ipv6 }: Attachment): string[] {
  return [ipv4?.address, ipv6?.address].filter((address) => address !== undefined);
}
