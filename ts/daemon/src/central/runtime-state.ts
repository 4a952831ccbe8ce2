import type { Lease, NodeRuntime } from "@terway/model";
import type { Binding } from "./own-resource.ts";

export type RuntimePods = NonNullable<NonNullable<NodeRuntime["status"]>["pods"]>;

export interface RuntimeInput {
  /** What was said last. */
  readonly said: RuntimePods;
  readonly leases: readonly Lease[];
  /** Uids of pods whose ADD is under way. */
  readonly adding: ReadonlySet<string>;
  /** By `namespace/name`. */
  readonly bindings: ReadonlyMap<string, readonly Binding[]>;
  /** Surely not in the cluster any more, or ended. */
  readonly isGone: (pod: { readonly namespace: string; readonly name: string; readonly uid: string }) => boolean;
  /** Addresses that the kernel routes to pods. */
  readonly occupied: ReadonlySet<string>;
  /** RFC 3339. */
  readonly now: string;
}

/**
 * What the control plane is to know of each pod: `initial` as long as something of it is or may come to be here, `deleted` when the kernel has nothing of it.
 * Only one of both stands, so that no two times have to be compared. What is no longer bound is not spoken of. Pure.
 */
export function runtimePods({ said, leases, adding, bindings, isGone, occupied, now }: RuntimeInput): RuntimePods {
  const pods: RuntimePods = {};
  const say = (uid: string, podID: string, state: "initial" | "deleted") => {
    const before = said[uid]?.status?.[state];
    pods[uid] = { podID, status: { [state]: before ?? { lastUpdateTime: now } } };
  };
  const held = new Set<string>();
  for (const lease of leases) {
    const { podNamespace, podName, podUid } = lease.sandbox;
    const podID = `${podNamespace}/${podName}`;
    const uid = podUid ?? bindings.get(podID)?.find((one) => isOf(lease, one))?.podUid;
    if (uid === undefined) continue;
    held.add(uid);
    say(uid, podID, "initial");
  }
  for (const [podID, all] of bindings) {
    const [namespace = "", name = ""] = podID.split("/");
    for (const { podUid: uid, ipv4, ipv6 } of all) {
      if (uid === undefined || held.has(uid)) continue;
      if (adding.has(uid)) {
        say(uid, podID, "initial");
        continue;
      }
      // A lost journal: the kernel knows better.
      if ([ipv4, ipv6].some((address) => address !== undefined && occupied.has(address))) say(uid, podID, "initial");
      else if (said[uid] !== undefined || isGone({ namespace, name, uid })) say(uid, podID, "deleted");
    }
  }
  return pods;
}

const isOf = ({ ipv4, ipv6 }: Lease, binding: Binding) =>
  (ipv4 !== undefined && ipv4.address === binding.ipv4) || (ipv6 !== undefined && ipv6.address === binding.ipv6);
