import type { Clock, Cloud } from "@terway/model";
import type { ClusterNode } from "../cluster/kinds.ts";

/** A person's word that the node was shut down, after which Kubernetes deletes its pods by force. Source: KEP-2268. */
const outOfServiceTaint = "node.kubernetes.io/out-of-service";
/** Kubernetes' own, on a node whose kubelet is not heard or not well. */
const downTaints = ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"];

/** Nobody on the node ends pods. A node that is not known any more is down, too. */
export function isDown(node: ClusterNode | undefined): boolean {
  return node === undefined || (node.spec?.taints ?? []).some(({ key }) => downTaints.includes(key));
}

/** The taint alone does not count, as in Kubernetes: while a kubelet is well it ends its pods itself. */
export function isOutOfService(node: ClusterNode | undefined): boolean {
  return node !== undefined && isDown(node) && (node.spec?.taints ?? []).some(({ key }) => key === outOfServiceTaint);
}

/** How long an answer counts, for all pods of the instance. One that saw nothing is asked again soon, because it alone may be wrong. */
export const againMs = { there: 30_000, suspected: 5_000 } as const;
/** An instance that nobody asks for any more is forgotten. */
const keptMs = 10 * 60_000;

export type InstanceState = "there" | "suspected" | "gone";

interface Look {
  readonly atMs: number;
  readonly state: Promise<InstanceState>;
}

/** Which instances do not exist any more: those without any ENI, because each has at least its primary one. Two looks must have seen it. */
export class GoneInstances {
  readonly #parts: { readonly cloud: Pick<Cloud, "describeEnis">; readonly clock: Clock };
  readonly #looks = new Map<string, Look>();

  constructor(parts: { readonly cloud: Pick<Cloud, "describeEnis">; readonly clock: Clock }) {
    this.#parts = parts;
  }

  /** Rejects with a CloudError. */
  async state(instanceId: string): Promise<InstanceState> {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const [id, { atMs }] of this.#looks) if (nowMs - atMs > keptMs) this.#looks.delete(id);
    const last = this.#looks.get(instanceId);
    const known = await last?.state.catch(() => undefined);
    if (known === "gone" || (last !== undefined && known !== undefined && nowMs - last.atMs < againMs[known])) return known;
    // Others have begun meanwhile.
    const begun = this.#looks.get(instanceId);
    if (begun !== undefined && begun !== last) return begun.state;
    const state = this.#parts.cloud
      .describeEnis({ instanceId })
      .then((enis): InstanceState => (enis.length > 0 ? "there" : known === "suspected" ? "gone" : "suspected"));
    this.#looks.set(instanceId, { atMs: nowMs, state });
    return state;
  }
}
