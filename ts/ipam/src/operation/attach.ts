import type { Eni } from "@terway/model";
import type { OperationOf } from "../journal/record.ts";
import type { OperationContext } from "./context.ts";
import { attempt, exhaustionSteps, isFinal, keys, passed, pause, readEni, refusalSteps, refuse, waitFor } from "./context.ts";

/** Terway waits 2 minutes for an ENI to become InUse (alicloud-api.md, 10.1). */
const deadlineMs = 120_000;
/** Polls after the call was accepted: most attachments end within 2 to 6 s, the slowest need 20. */
const firstPollMs = 1_500;
const pollGrowth = 1.5;
const maxPollMs = 10_000;
/** How often an attachment may fall back to Available (F12) before another ENI is tried. */
const maxCalls = 3;
/** One answer without the ENI proves nothing (F34, F53). */
const absencesThatProve = 3;

/** Attaches an ENI to this instance and waits until the cloud shows it InUse. One that cannot be attached is removed, so that it does not leak. */
export async function attachEni(context: OperationContext, operation: OperationOf<"attach">, resumed: boolean): Promise<void> {
  const endMs = context.clock.monotonicMs() + deadlineMs;
  let calls = 0;
  let absences = 0;
  let pollMs = firstPollMs;
  let shown: Eni | undefined = resumed ? await readEni(context, operation, operation.eniId) : undefined;
  let mustCall = !resumed;
  for (;;) {
    if (shown?.status === "InUse") {
      // Attached to another instance: somebody else took it, it is not ours to use or to remove.
      if (shown.instanceId !== undefined && shown.instanceId !== context.instanceId)
        return context.finish(operation, [{ t: "eni-gone", id: shown.id }]);
      return attached(context, operation, shown);
    }
    if (absences >= absencesThatProve) return context.finish(operation, [{ t: "eni-gone", id: operation.eniId }]);
    if (context.clock.monotonicMs() >= endMs || calls > maxCalls) return replace(context, operation);
    if (mustCall || shown?.status === "Available") {
      calls += 1;
      const outcome = await call(context, operation, calls);
      if (outcome === "ended") return;
      mustCall = false;
    }
    await waitFor(context, pollMs);
    pollMs = Math.min(maxPollMs, pollMs * pollGrowth);
    shown = await readEni(context, operation, operation.eniId);
    absences = shown ? 0 : absences + 1;
  }
}

async function call(context: OperationContext, operation: OperationOf<"attach">, calls: number): Promise<"ended" | "poll"> {
  const answer = await attempt(context, "AttachNetworkInterface", () => context.cloud.attachEni(operation.eniId, context.instanceId));
  if (answer.ok) {
    passed(context, operation, "AttachNetworkInterface");
    await context.failpoint("attach.answered");
    return "poll";
  }
  const { error } = answer;
  if (!isFinal(error)) {
    await pause(context, operation, error, calls);
    return "poll";
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
  await context.finish(operation, [{ t: "eni-status", id: eni.id, status: "InUse" }]);
  passed(context, operation, "AttachNetworkInterface", keys.attach);
  context.emit({ type: "eni-attached", eniId: eni.id });
  await context.failpoint("attach.recorded");
}

function replace(context: OperationContext, operation: OperationOf<"attach">): Promise<void> {
  return context.finish(operation, [], { id: context.random.uuid(), kind: "remove", eniId: operation.eniId });
}
