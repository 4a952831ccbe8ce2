import type { Random } from "@terway/model";
import { unattached, withoutTransition } from "./eni.ts";
import { pluggedEni } from "./fabric-object.ts";
import type { NetworkInterface, Transition } from "./records.ts";
import { randomInteger } from "./seeded-random.ts";
import type { Delay } from "./settings.ts";
import type { CloudState } from "./state.ts";
import type { Transaction } from "./transaction.ts";

/** What faults do to the transition that a call starts. */
export interface TransitionFault {
  readonly stuck: boolean;
  readonly fails: boolean;
  readonly extraMs: number;
}

export function drawDelay(random: Random, { min, max, tail }: Delay): number {
  if (tail !== undefined && randomInteger(random, 100) === 0) return Math.round(max + random.next() * (tail - max));
  return Math.round(min + random.next() * (max - min));
}

export function startTransition(tx: Transaction, eni: NetworkInterface, kind: Transition["kind"], fault: TransitionFault): void {
  const status = ({ attach: "Attaching", detach: "Detaching", delete: "Deleting" } as const)[kind];
  const dueMs = tx.nowMs + drawDelay(tx.random, tx.state.settings.delays[kind]) + fault.extraMs;
  tx.putEni({ ...eni, status, transition: { kind, stage: "waiting", fails: fault.fails, ...(fault.stuck ? {} : { dueMs }) } });
}

/** When the next transition is due; undefined when none waits. */
export function nextDueMs(state: CloudState): number | undefined {
  let next: number | undefined;
  for (const { transition } of state.enis.values()) {
    if (transition?.stage !== "waiting" || transition.dueMs === undefined) continue;
    if (next === undefined || transition.dueMs < next) next = transition.dueMs;
  }
  return next;
}

/** Moves on everything that is due, in order of time and then of id. */
export function runDueTransitions(tx: Transaction): NetworkInterface[] {
  const due = [...tx.state.enis.values()]
    .filter(({ transition }) => transition?.stage === "waiting" && transition.dueMs !== undefined && transition.dueMs <= tx.nowMs)
    .sort((a, b) => (a.transition?.dueMs ?? 0) - (b.transition?.dueMs ?? 0) || (a.id < b.id ? -1 : 1));
  for (const eni of due) {
    const { transition } = eni;
    if (transition === undefined) continue;
    if (transition.kind === "delete") tx.remove("enis", eni.id);
    else if (transition.fails) tx.putEni(unattached(eni));
    else {
      tx.putEni({ ...eni, transition: { ...transition, stage: "fabric" } });
      tx.effect(transition.kind === "attach" ? { type: "plug", eni: pluggedEni(tx.state, eni) } : { type: "unplug", eniId: eni.id });
    }
  }
  return due;
}

/** The fabric has done it: attach becomes InUse, detach becomes Available. */
export function finishTransition(tx: Transaction, eniId: string, kind: Transition["kind"]): NetworkInterface | undefined {
  const eni = tx.eni(eniId);
  if (eni?.transition?.kind !== kind || eni.transition.stage !== "fabric") return undefined;
  if (kind === "attach") tx.putEni({ ...withoutTransition(eni), status: "InUse" });
  else {
    if (eni.trunkId !== undefined && eni.deviceIndex !== undefined) {
      const id = `${eni.trunkId}/${eni.deviceIndex}`;
      tx.put("restingVlans", id, { trunkId: eni.trunkId, vlan: eni.deviceIndex, untilMs: tx.nowMs + tx.state.settings.vlanRestMs });
    }
    tx.putEni(unattached(eni));
  }
  return tx.eni(eniId);
}

/** The fabric could not do it: the ENI stays where it is until somebody calls again. */
export function stickTransition(tx: Transaction, eniId: string): void {
  const eni = tx.eni(eniId);
  if (eni?.transition?.stage !== "fabric") return;
  const { kind, fails } = eni.transition;
  tx.putEni({ ...eni, transition: { kind, fails, stage: "waiting" } });
}
