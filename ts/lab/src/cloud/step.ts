import type { Random } from "@terway/model";
import { type AdminCommandName, adminCommands } from "./admin/index.ts";
import { type CallResult, handleHttp, handleTrusted } from "./call.ts";
import type { FabricEffect } from "./fabric-effect.ts";
import { History } from "./history.ts";
import { adminEntry, callEntry, fabricEntry, metadataEntry, transitionEntry } from "./history-entry.ts";
import type { HttpRequest } from "./http-request.ts";
import { handleMetadata, type MetadataAnswer, type MetadataRequest } from "./metadata/handle.ts";
import type { WireParameters } from "./parameters.ts";
import { releaseBusy } from "./run-operation.ts";
import { type Change, CloudState } from "./state.ts";
import { Transaction } from "./transaction.ts";
import { finishTransition, nextDueMs, runDueTransitions, stickTransition } from "./transition.ts";
import { PastStates } from "./view.ts";

/** Everything that the core works on. */
export interface World {
  readonly state: CloudState;
  readonly past: PastStates;
  readonly history: History;
}

export function newWorld(): World {
  return { state: new CloudState(), past: new PastStates(), history: new History() };
}

/** Everything that can happen. Plain data, so that a run can be written down and replayed. */
export type Command =
  | { readonly type: "http"; readonly request: HttpRequest }
  /** A call by somebody who needs no key: the console, another tool. */
  | { readonly type: "trusted"; readonly action: string; readonly parameters: WireParameters }
  /** The answer of a call goes out. */
  | { readonly type: "answered"; readonly busyEniIds: readonly string[] }
  | { readonly type: "metadata"; readonly request: MetadataRequest }
  | { readonly type: "admin"; readonly name: AdminCommandName; readonly input: unknown }
  /** Time has come to look at what is due. */
  | { readonly type: "tick" }
  /** The fabric has plugged or unplugged, or could not. */
  | { readonly type: "fabric-done"; readonly eniId: string; readonly kind: "attach" | "detach" }
  | { readonly type: "fabric-failed"; readonly effect: FabricEffect["type"]; readonly subject: string; readonly message: string };

export interface StepResult {
  readonly changes: readonly Change[];
  readonly effects: readonly FabricEffect[];
  /** When the next `tick` is wanted. */
  readonly nextDueMs?: number;
  readonly call?: CallResult;
  readonly metadata?: MetadataAnswer;
  readonly admin?: unknown;
}

/**
 * One step of the cloud. No I/O, no clock, no chance but what is handed in: the same world, commands, times and random numbers give the
 * same answers, changes and history. An admin command that throws has changed nothing.
 */
export function step(world: World, command: Command, nowMs: number, random: Random): StepResult {
  const tx = new Transaction(world.state, nowMs, random);
  let result: Pick<StepResult, "call" | "metadata" | "admin">;
  try {
    result = run(world, tx, command);
  } catch (error) {
    tx.rollback();
    throw error;
  }
  world.past.record(tx.changes, nowMs);
  const due = nextDueMs(world.state);
  return { ...result, changes: tx.changes, effects: tx.effects, ...(due === undefined ? {} : { nextDueMs: due }) };
}

function run({ past, history }: World, tx: Transaction, command: Command): Pick<StepResult, "call" | "metadata" | "admin"> {
  const atMs = tx.nowMs;
  switch (command.type) {
    case "http":
    case "trusted": {
      const call =
        command.type === "http" ? handleHttp(tx, past, command.request) : handleTrusted(tx, past, command.action, command.parameters);
      history.add(callEntry(atMs, command.type === "http" ? "call" : "second-actor", call));
      return { call };
    }
    case "answered":
      for (const id of command.busyEniIds) releaseBusy(tx, id);
      return {};
    case "metadata": {
      const metadata = handleMetadata(tx, past, command.request);
      history.add(metadataEntry(atMs, command.request, metadata));
      return { metadata };
    }
    case "admin": {
      const { recorded, run: runCommand } = adminCommands[command.name];
      // Each command checks its own input; the table only loses the type.
      const admin = (runCommand as (tx: Transaction, input: unknown) => unknown)(tx, command.input);
      if (recorded) history.add(adminEntry(atMs, command.name, command.input));
      return { admin };
    }
    case "tick":
      for (const { id, transition } of runDueTransitions(tx)) {
        if (transition?.kind === "delete") history.add(transitionEntry(atMs, "delete", id, "gone"));
        else if (transition?.fails === true) history.add(transitionEntry(atMs, "attach", id, "Available"));
      }
      return {};
    case "fabric-done": {
      const eni = finishTransition(tx, command.eniId, command.kind);
      if (eni !== undefined) history.add(transitionEntry(atMs, command.kind, eni.id, eni.status));
      return {};
    }
    case "fabric-failed":
      stickTransition(tx, command.subject);
      history.add(fabricEntry(atMs, command));
      return {};
  }
}
