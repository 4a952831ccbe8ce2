import { type Attachment, type Clock, cniCode, type Datapath, type PolicyDrops, type PolicyView } from "@terway/model";
import type { Cluster } from "../cluster/cluster.ts";
import { CniError } from "../failure.ts";
import type { Logger } from "../log.ts";
import { DropLog } from "./drop-log.ts";
import { Enforcement, type EnforcingMode, type PodOfAttachment, type PolicyReport } from "./enforcement.ts";
import { savedTables } from "./saved-tables.ts";

/** How often the switch is looked at. */
const switchPeriodMs = 1_000;
const attachMs = 5_000;

/** A pod of this node with its kernel side. */
export interface AttachedPod {
  readonly attachment: Attachment;
  readonly sandbox: PodOfAttachment;
}

export interface NodePolicyParts {
  /** Absent: nobody says what policies there are, so none is enforced. */
  readonly cluster?: Cluster;
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stateDir: string;
  /** As `disable_network_policy` says at this moment. */
  readonly wanted: () => boolean;
  readonly report: PolicyReport;
  readonly mode: () => EnforcingMode;
  readonly serviceCidrs: () => readonly string[];
  readonly learningMs: number;
  readonly onUnable: (reason: string) => void;
}

/** Whether and how NetworkPolicy is enforced here; what the verbs ask. */
export class NodePolicy {
  readonly #parts: NodePolicyParts;
  readonly #drops: DropLog;
  #enforcement: Enforcement | undefined;
  #unable: string | undefined;

  constructor(parts: NodePolicyParts) {
    this.#parts = parts;
    this.#drops = new DropLog(parts.datapath, parts.clock);
  }

  /** Before any attachment is adopted or made. */
  async open(): Promise<void> {
    const { wanted, stateDir } = this.#parts;
    const disabled = !wanted();
    // Switched off and never on: nothing stands in any packet's way, and nothing costs anything.
    if (disabled && (await savedTables(stateDir).read()) === undefined) return;
    await this.#begin(disabled);
  }

  /** One line for people. */
  state(): string {
    if (this.#parts.cluster === undefined) return "not enforced: no cluster tells this node of policies";
    if (this.#unable !== undefined) return `not enforced: ${this.#unable}`;
    return this.#enforcement?.state() ?? "off: disable_network_policy is set";
  }

  /** Pods that could take their hooks away. */
  escapable(): readonly string[] {
    return this.#enforcement?.escapable() ?? [];
  }

  /** What is to be said of it in the node's conditions: why it is not enforced, or of whom it may not be. Undefined while it is switched off. */
  condition(): { readonly status: "True" | "False"; readonly reason: string; readonly message: string } | undefined {
    if (this.#parts.cluster === undefined || (this.#enforcement === undefined && this.#unable === undefined)) return undefined;
    if (this.#unable !== undefined) return { status: "False", reason: "KernelRefuses", message: this.#unable };
    const state = this.state();
    if (state.startsWith("off")) return { status: "False", reason: "SwitchedOff", message: state };
    const escapable = this.escapable();
    if (escapable.length === 0) return { status: "True", reason: "Enforced", message: "the policies of every pod are in the kernel" };
    const named = escapable.length > 10 ? [...escapable.slice(0, 10), `and ${escapable.length - 10} more`] : escapable;
    return { status: "True", reason: "PodsWithNetAdmin", message: `could take their hooks away for a moment: ${named.join(", ")}` };
  }

  /** What judges each pod of this node. Throws when the kernel cannot be asked. */
  async view(): Promise<PolicyView> {
    const nothing = { state: this.state(), pods: [], reasons: [] };
    if (this.#enforcement === undefined) return nothing;
    const counts = await this.#parts.datapath.policy.counts();
    if (!counts.ok) throw new Error(counts.error.message);
    return { state: this.state(), ...this.#enforcement.view(counts.value) };
  }

  /** Dropped packets after this one. Throws when the kernel cannot be asked. */
  async drops(after: number): Promise<PolicyDrops> {
    const enforcement = this.#enforcement;
    return enforcement === undefined ? { last: 0, drops: [] } : this.#drops.after(after, (endpoint) => enforcement.nameOf(endpoint));
  }

  get isEnforced(): boolean {
    return this.#enforcement !== undefined;
  }

  /** The attachment as the kernel must have it on this node. */
  judged(attachment: Attachment): Attachment {
    return this.#enforcement === undefined ? attachment : { ...attachment, networkPolicy: true };
  }

  /** Before the link of a pod is made. Throws a CniError when the pod must not have it. */
  async admit(attachment: Attachment, sandbox: PodOfAttachment): Promise<void> {
    const pod = `${sandbox.podNamespace}/${sandbox.podName}`;
    if (this.#unable !== undefined && this.#parts.mode() === "strict") {
      throw new CniError(
        cniCode.tryAgainLater,
        `${pod} gets no network: the node is strict and cannot enforce NetworkPolicy: ${this.#unable}`,
      );
    }
    const refusal = await this.#enforcement?.admit(attachment, sandbox);
    if (refusal?.code === "unsupported") throw new CniError(cniCode.tryAgainLater, `${pod} gets no network: ${refusal.message}`);
    if (refusal !== undefined) {
      throw new CniError(cniCode.tryAgainLater, `${pod} gets no network before its policy is in the kernel: ${refusal.message}`);
    }
  }

  /** Its link is gone. */
  leave(attachment: Attachment): void {
    this.#enforcement?.leave(attachment);
  }

  /** Pods that are attached, once they are known. */
  async adopt(pods: readonly AttachedPod[]): Promise<void> {
    const fresh = (await this.#enforcement?.adopt(pods)) ?? [];
    // Hooks for those that had none; repair would find them too, half a minute later.
    for (const attachment of fresh) {
      const outcome = await this.#parts.datapath.attach(this.judged(attachment), attachMs);
      if (!outcome.ok) this.#parts.log.warn({ id: attachment.id }, `no hooks for NetworkPolicy yet: ${outcome.error.message}`);
    }
  }

  /** Follows objects and switch until the signal ends it; `pods` are those attached at that moment. */
  async run(pods: () => readonly AttachedPod[], signal: AbortSignal): Promise<void> {
    const { clock, cluster, wanted } = this.#parts;
    if (cluster === undefined) return;
    let following = this.#follow(signal);
    while (!signal.aborted) {
      try {
        await clock.sleep(switchPeriodMs, signal);
      } catch {
        break;
      }
      const disabled = !wanted();
      if (!disabled && this.#enforcement === undefined && this.#unable === undefined) {
        await this.#begin(false);
        following = this.#follow(signal);
        await this.adopt(pods());
      }
      this.#enforcement?.setDisabled(disabled);
    }
    await following;
  }

  #follow(signal: AbortSignal): Promise<void> | undefined {
    return this.#enforcement?.run(signal);
  }

  async #begin(disabled: boolean): Promise<void> {
    const { cluster, datapath, stateDir, log, onUnable } = this.#parts;
    if (cluster === undefined) return;
    const opened = await datapath.policy.open();
    if (!opened.ok) {
      this.#unable = opened.error.message;
      log.error(`NetworkPolicy is not enforced on this node: ${this.#unable}`);
      onUnable(this.#unable);
      return;
    }
    this.#enforcement = new Enforcement({ ...this.#parts, cluster, saved: savedTables(stateDir) }, disabled);
  }
}
