import { withoutBusy } from "./eni.ts";
import type { FaultEffect } from "./fault/effect.ts";
import { rememberAnswer, replayedAnswer, tokenUse } from "./idempotency.ts";
import type { Body, Operation } from "./operation/operation.ts";
import type { WireParameters } from "./parameters.ts";
import type { Transaction } from "./transaction.ts";
import type { TransitionFault } from "./transition.ts";
import type { PastStates } from "./view.ts";

/** Runs the operation, once for each client token; throws ApiError and may then have changed something, which the caller takes back. */
export function runOperation(
  tx: Transaction,
  past: PastStates,
  callId: string,
  operation: Operation,
  parameters: WireParameters,
  effects: readonly FaultEffect[] = [],
): Body {
  const use = operation.idempotent ? tokenUse(operation.action, parameters) : undefined;
  const replayed = use === undefined ? undefined : replayedAnswer(tx, use);
  if (replayed !== undefined) return replayed;
  const { describeLagMs } = tx.state.settings;
  const lagMs = effects.reduce((lag, effect) => (effect.type === "stale" ? Math.max(lag, effect.lagMs) : lag), describeLagMs);
  const partial = effects.find((effect) => effect.type === "partial")?.count;
  const body = operation.run(parameters, {
    tx,
    id: callId,
    view: operation.writes ? tx.state : past.view(tx.state, tx.nowMs, lagMs),
    transitionFault: transitionFault(effects),
    ...(partial === undefined ? {} : { partial }),
  });
  if (use !== undefined) rememberAnswer(tx, use, body);
  return body;
}

function transitionFault(effects: readonly FaultEffect[]): TransitionFault {
  return {
    stuck: effects.some((effect) => effect.type === "stuck"),
    fails: effects.some((effect) => effect.type === "attach-fails"),
    extraMs: effects.reduce((sum, effect) => (effect.type === "slow-transition" ? sum + effect.ms : sum), 0),
  };
}

/** ENIs that this call works on and that nobody else may touch before it is answered. */
export function busyEnis(tx: Transaction, callId: string): string[] {
  const ids = new Set(tx.changes.flatMap((change) => (change.table === "enis" ? [change.id] : [])));
  return [...ids].filter((id) => tx.eni(id)?.busy === callId);
}

/** The call is over for this ENI: others may come, and what it took away is free. */
export function releaseBusy(tx: Transaction, eniId: string): void {
  const eni = tx.eni(eniId);
  if (eni !== undefined) tx.putEni({ ...withoutBusy(eni), releasing: [] });
}
