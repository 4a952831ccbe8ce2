import type { Eni } from "@terway/model";
import type { OperationOf } from "../journal/record.ts";
import { proofMs } from "../suspicion.ts";
import type { Attempt, OperationContext } from "./context.ts";
import { attempt, isFinal, keys, overtaken, passed, pause, readEni, refusalSteps, refuse, waitFor } from "./context.ts";

/** Terway pauses 5 s between detach and delete. */
const firstPollMs = 4_000;
const pollGrowth = 1.5;
const maxPollMs = 15_000;
/** A guest that does not answer leaves the ENI in Detaching, and Deleting may stick too; the remedy is the same call again (F13, F14). */
const repeatAfterMs = 30_000;

/** Detaches and deletes an idle ENI. Whatever state it is found in, the next step follows from that state, so that it can be resumed anywhere. */
export async function removeEni(context: OperationContext, operation: OperationOf<"remove">): Promise<void> {
  const { eniId } = operation;
  let pollMs = firstPollMs;
  let calledMs = Number.NEGATIVE_INFINITY;
  let calledIn: Eni["status"] | undefined;
  let shownMs = context.clock.monotonicMs();
  for (let tries = 0; ; tries += 1) {
    const shown = await readEni(context, operation, eniId);
    // The one check that cannot come too late (I4): an operation that an older process began may have been overtaken. A rest that began again with
    // a reboot is no use. What was begun may have had its effect, so the status is taken from the answer.
    if (context.inventory.isHeld(eniId))
      return overtaken(context, operation, shown ? [{ t: "eni-status", id: eniId, status: shown.status }] : []);
    if (shown) shownMs = context.clock.monotonicMs();
    // After our own delete an absence is what was to be expected; without it, only a long one proves anything (F53).
    const isDeleted = calledIn === "Available" || calledIn === "Deleting";
    if (!shown && (isDeleted || context.clock.monotonicMs() - shownMs >= proofMs)) return removed(context, operation);
    // Somebody attached it elsewhere: it is not ours any more, neither to use nor to remove.
    if (shown?.instanceId !== undefined && shown.instanceId !== context.instanceId) return forgotten(context, operation);
    const nowMs = context.clock.monotonicMs();
    if (shown && (shown.status !== calledIn || nowMs - calledMs >= repeatAfterMs)) {
      if (shown.status !== calledIn) pollMs = firstPollMs;
      const answer = await nextCall(context, shown);
      if (answer && !answer.ok) {
        const { error } = answer;
        if (error.class === "gone") return removed(context, operation);
        if (isFinal(error)) {
          refuse(context, operation, error, keys.release, refusalSteps);
          return context.finish(operation, [{ t: "eni-status", id: eniId, status: shown.status }]);
        }
        await pause(context, operation, error, tries);
        continue;
      }
      if (answer) {
        calledMs = nowMs;
        calledIn = shown.status;
        passed(context, operation, shown.status === "Available" ? "DeleteNetworkInterface" : "DetachNetworkInterface", keys.release);
        await context.failpoint(shown.status === "Available" ? "remove.deleted" : "remove.detached");
      }
    }
    await waitFor(context, pollMs);
    pollMs = Math.min(maxPollMs, pollMs * pollGrowth);
  }
}

/** Undefined when the cloud is busy with it and nothing is to be called. */
async function nextCall(context: OperationContext, shown: Eni): Promise<Attempt<void> | undefined> {
  switch (shown.status) {
    case "InUse":
    case "Detaching":
      return attempt(context, "DetachNetworkInterface", () => context.cloud.detachEni(shown.id, context.instanceId));
    case "Available":
    case "Deleting":
      return attempt(context, "DeleteNetworkInterface", () => context.cloud.deleteEni(shown.id));
    case "Creating":
    case "Attaching":
      return undefined;
  }
}

async function removed(context: OperationContext, operation: OperationOf<"remove">): Promise<void> {
  await forgotten(context, operation);
  context.emit({ type: "eni-deleted", eniId: operation.eniId });
  await context.failpoint("remove.recorded");
}

async function forgotten(context: OperationContext, operation: OperationOf<"remove">): Promise<void> {
  await context.finish(operation, [{ t: "eni-gone", id: operation.eniId }]);
  context.inventory.forget(operation.eniId);
  context.problems.clear(keys.grow(operation.eniId));
  context.backoffs.succeed(keys.grow(operation.eniId));
}
