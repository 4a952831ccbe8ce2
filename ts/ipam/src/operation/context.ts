import type { Clock, Cloud, Eni, PoolEvent, Random } from "@terway/model";
import { CloudError, cloudErrorEntry } from "@terway/model";
import type { BackoffSteps, Backoffs } from "../backoff.ts";
import { backoffMs } from "../backoff.ts";
import type { Failpoint } from "../failpoint.ts";
import type { Inventory } from "../inventory.ts";
import type { JournalRecord, KnownEni, Operation } from "../journal/record.ts";
import type { Problems, Subject } from "../problems.ts";
import { problemOf } from "../problems.ts";

/** What every operation works with. */
export interface OperationContext {
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly random: Random;
  readonly instanceId: string;
  readonly inventory: Inventory;
  readonly backoffs: Backoffs;
  readonly problems: Problems;
  emit(event: PoolEvent): void;
  failpoint(name: Failpoint): Promise<void>;
  /** Makes a fact durable, however long the disk needs for it: the cloud has changed already. Throws {@link Stopped} when the pool closes. */
  record(records: readonly JournalRecord[]): Promise<void>;
  /** Ends the operation with these facts, and begins the next one with the same commit. */
  finish(operation: Operation, records: readonly JournalRecord[], next?: Operation): Promise<void>;
  /** Tells the pool that the operation waits before it tries again, and why. */
  stalled(operation: Operation, by: CloudError | undefined): void;
  /** Throws {@link Stopped} once the pool is closed: its intents are left to the next process. */
  checkpoint(): void;
}

/** Not a failure: the process gives up the journal, what is begun stays begun. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

export type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: CloudError };

/** One cloud call as a value. */
export async function attempt<T>(
  context: Pick<OperationContext, "checkpoint">,
  action: string,
  call: () => Promise<T>,
): Promise<Attempt<T>> {
  context.checkpoint();
  try {
    const value = await call();
    context.checkpoint();
    return { ok: true, value };
  } catch (error) {
    context.checkpoint();
    if (error instanceof CloudError) return { ok: false, error };
    // The port promises CloudError only. Anything else is a defect there, and what it did is unknown.
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, error: new CloudError(message, { class: "unknown", code: "InternalDefect", action }, { cause: error }) };
  }
}

/** Waits of calls that are tried again within one operation. */
const retrySteps: BackoffSteps = { firstMs: 1_000, maxMs: 30_000 };
/** Refusals that a person has to end are probed this often. */
export const refusalSteps: BackoffSteps = { firstMs: 15_000, maxMs: 300_000 };
/** A vSwitch or quota that is used up: Terway waits 10 minutes at once, we come to it by doubling. */
export const exhaustionSteps: BackoffSteps = { firstMs: 30_000, maxMs: 600_000 };

/** Classes that mean: this operation ends here. The others are tried again within it. */
export function isFinal(error: CloudError): boolean {
  return ["exhausted", "quota", "denied", "invalid", "gone"].includes(error.class);
}

/** Waits before the next attempt within the operation. */
export async function pause(context: OperationContext, operation: Operation, error: CloudError, tries: number): Promise<void> {
  context.problems.set(`call:${error.action}`, problemOf(error, subjectOf(context, operation)));
  context.stalled(operation, error);
  await context.clock.sleep(Math.max(error.retryAfterMs ?? 0, backoffMs(retrySteps, tries, context.random)));
  context.checkpoint();
}

/** The call went through: what stood in its way does no longer. */
export function passed(context: OperationContext, operation: Operation, action: string, ...keys: readonly string[]): void {
  context.stalled(operation, undefined);
  for (const key of [`call:${action}`, ...keys]) {
    context.problems.clear(key);
    context.backoffs.succeed(key);
  }
}

/** The call was refused for good: nobody asks again for this before the back-off is over. */
export function refuse(context: OperationContext, operation: Operation, error: CloudError, key: string, steps: BackoffSteps): void {
  context.problems.clear(`call:${error.action}`);
  context.problems.set(key, problemOf(error, subjectOf(context, operation)));
  context.backoffs.fail(key, steps, error.retryAfterMs);
}

/** What was to be released is in use: the intent ends, and a plan that wants it again has to wait, or the two would chase each other. */
export function overtaken(context: OperationContext, operation: Operation, facts: readonly JournalRecord[] = []): Promise<void> {
  context.backoffs.fail(keys.release, refusalSteps);
  return context.finish(operation, facts);
}

function subjectOf(context: OperationContext, operation: Operation): Subject {
  if (operation.kind === "create") return { vSwitchId: operation.vSwitchId };
  return { eniId: operation.eniId, vSwitchId: context.inventory.ledger.enis.get(operation.eniId)?.vSwitchId };
}

/** The token was used with other parameters, or its first call failed (F47): only a new operation, with a new token, can go on. */
export function isTokenSpent(error: CloudError): boolean {
  return cloudErrorEntry(error.code)?.id === "token_reused";
}

/** Reads one ENI by id until there is an answer. Undefined: the answer did not contain it (which by itself proves nothing, fault F53). */
export async function readEni(context: OperationContext, operation: Operation, eniId: string): Promise<Eni | undefined> {
  for (let tries = 0; ; tries += 1) {
    const answer = await attempt(context, "DescribeNetworkInterfaces", () => context.cloud.describeEnis({ eniIds: [eniId] }));
    if (answer.ok) {
      context.problems.clear("call:DescribeNetworkInterfaces");
      // The call that this reading follows may itself have failed; that failure goes on counting.
      if (tries > 0) context.stalled(operation, undefined);
      return answer.value.find((eni) => eni.id === eniId);
    }
    await pause(context, operation, answer.error, tries);
  }
}

/** Waits a fixed while within the operation, for something that goes on in the cloud. */
export async function waitFor(context: OperationContext, delayMs: number): Promise<void> {
  await context.clock.sleep(delayMs);
  context.checkpoint();
}

/** What is kept of an ENI. */
export function knownEni(eni: Eni): KnownEni {
  const { id, mac, type, status, vSwitchId, primaryIpv4 } = eni;
  return { id, mac, type, status, vSwitchId, primaryIpv4, ipv4: [...eni.ipv4], ipv6: [...eni.ipv6] };
}

/** Back-off and problem keys. */
export const keys = {
  create: "create",
  attach: "attach",
  assign: "assign",
  release: "release",
  observe: "observe",
  vSwitch: (id: string) => `vswitch:${id}`,
  grow: (eniId: string) => `grow:${eniId}`,
} as const;
