import type { Eni } from "@terway/model";
import type { OperationOf } from "../journal/record.ts";
import { proofMs } from "../suspicion.ts";
import type { OperationContext } from "./context.ts";
import { attempt, exhaustionSteps, isFinal, keys, passed, pause, readEni, refusalSteps, refuse, waitFor } from "./context.ts";

/** From an accepted call to InUse, Terway waits 2 minutes (alicloud-api.md, 10.1). */
const attachedWithinMs = 120_000;
/** Polls after the call was accepted: most attachments end within 2 to 6 s, the slowest need 20. */
const firstPollMs = 1_500;
const pollGrowth = 1.5;
const maxPollMs = 10_000;
/** How often an attachment may fall back to Available (F12) before another ENI is tried. */
const maxAccepted = 3;

/** Attaches an ENI to this instance and waits until the cloud shows it InUse. One that cannot be attached is removed, so that it does not leak. */
export async function attachEni(context: OperationContext, operation: OperationOf<"attach">, resumed: boolean): Promise<void> {
  const { clock } = context;
  const startMs = clock.monotonicMs();
  let acceptedMs = startMs;
  let accepted = 0;
  let shownMs = startMs;
  let pollMs = firstPollMs;
  let shown: Eni | undefined = resumed ? await readEni(context, operation, operation.eniId) : undefined;
  let mustCall = !resumed;
  for (let tries = 0; ; tries += 1) {
    if (shown?.status === "InUse") {
      // Attached to another instance: somebody else took it, it is not ours to use or to remove.
      if (shown.instanceId !== undefined && shown.instanceId !== context.instanceId) return lost(context, operation);
      return attached(context, operation, shown);
    }
    if (shown) shownMs = clock.monotonicMs();
    // Describes lag, above all after a create (F34): only a long absence proves anything.
    if (clock.monotonicMs() - shownMs >= proofMs) return lost(context, operation);
    if (clock.monotonicMs() - acceptedMs >= attachedWithinMs || accepted > maxAccepted) return replace(context, operation);
    if (mustCall || shown?.status === "Available") {
      const outcome = await call(context, operation, tries, clock.monotonicMs() - startMs < proofMs);
      if (outcome === "ended") return;
      acceptedMs = clock.monotonicMs();
      if (outcome === "accepted") accepted += 1;
      mustCall = false;
    }
    await waitFor(context, pollMs);
    pollMs = Math.min(maxPollMs, pollMs * pollGrowth);
    shown = await readEni(context, operation, operation.eniId);
  }
}

async function call(
  context: OperationContext,
  operation: OperationOf<"attach">,
  tries: number,
  isYoung: boolean,
): Promise<"ended" | "accepted" | "again"> {
  const answer = await attempt(context, "AttachNetworkInterface", () => context.cloud.attachEni(operation.eniId, context.instanceId));
  if (answer.ok) {
    passed(context, operation, "AttachNetworkInterface");
    await context.failpoint("attach.answered");
    return "accepted";
  }
  const { error } = answer;
  // An ENI that was created a moment ago may be unknown to the next call.
  if (!isFinal(error) || (error.class === "gone" && isYoung)) {
    await pause(context, operation, error, tries);
    return "again";
  }
  // Nothing more is created while what is created cannot be attached.
  refuse(context, operation, error, keys.attach, error.class === "quota" ? exhaustionSteps : refusalSteps);
  // Denied: the ENI stays as it is and is attached when the permission is there. Else the instance is full (F10) or the ENI does not fit it, and it
  // must not leak.
  if (error.class === "denied") await context.finish(operation, []);
  else await replace(context, operation);
  return "ended";
}

async function attached(context: OperationContext, operation: OperationOf<"attach">, eni: Eni): Promise<void> {
  context.inventory.confirmed.add(eni.id);
  context.inventory.securityGroups.set(eni.id, eni.securityGroupIds);
  await context.finish(operation, [{ t: "eni-status", id: eni.id, status: "InUse" }]);
  passed(context, operation, "AttachNetworkInterface", keys.attach);
  context.emit({ type: "eni-attached", eniId: eni.id });
  await context.failpoint("attach.recorded");
}

async function lost(context: OperationContext, operation: OperationOf<"attach">): Promise<void> {
  await context.finish(operation, [{ t: "eni-gone", id: operation.eniId }]);
  context.inventory.forget(operation.eniId);
}

function replace(context: OperationContext, operation: OperationOf<"attach">): Promise<void> {
  return context.finish(operation, [], { id: context.random.uuid(), kind: "remove", eniId: operation.eniId });
}
