import type { Eni } from "@terway/model";

/** Where an ENI shall be. */
export interface Place {
  readonly instanceId: string;
  /** Of a member. */
  readonly trunkId?: string;
}

/** What is to be done for an ENI at the cloud; `wait`: the cloud is at work. */
export type EniStep = "attach" | "detach" | "delete" | "wait" | "done" | "lost";

/**
 * One step from what the cloud shows towards what is wanted. Pure. An ENI that is somewhere else is detached there before it is attached here, so that its address
 * is never in two places.
 */
export function nextStep(
  wanted: { readonly kind: "attached"; readonly at: Place } | { readonly kind: "detached" | "deleted" },
  eni: Eni | undefined,
): EniStep {
  if (eni === undefined) return wanted.kind === "attached" ? "lost" : "done";
  if (eni.status === "Deleting") return wanted.kind === "deleted" ? "wait" : "lost";
  if (eni.status !== "Available" && eni.status !== "InUse") return "wait";
  if (eni.status === "InUse") {
    if (wanted.kind !== "attached" || !isAt(eni, wanted.at)) return "detach";
    // A member without its tag cannot be used yet.
    return wanted.at.trunkId !== undefined && eni.vlanId === undefined ? "wait" : "done";
  }
  return wanted.kind === "attached" ? "attach" : wanted.kind === "detached" ? "done" : "delete";
}

function isAt(eni: Eni, { instanceId, trunkId }: Place): boolean {
  return eni.instanceId === instanceId && (trunkId === undefined ? eni.type !== "Member" : eni.trunkId === trunkId);
}
