import type { Clock, InstanceIdentity, Metadata, Random } from "@terway/model";
import type { InstanceFacts } from "./instance.ts";
import type { Logger } from "./log.ts";
import { retry } from "./retry.ts";

/** The instance is another one than the journal's: the process must start again with nothing remembered. */
export class InstanceChanged extends Error {
  override readonly name = "InstanceChanged";
}

/** A node whose metadata service does not answer in this time starts from what it knew before. */
const firstAnswerMs = 2_000;

/** Asks once, shortly. Rejects when there is no answer. */
export async function askIdentity(metadata: Metadata, clock: Clock): Promise<InstanceIdentity> {
  const controller = new AbortController();
  const cancel = clock.after(firstAnswerMs, () => controller.abort(new Error(`no answer within ${firstAnswerMs} ms`)));
  try {
    return await metadata.identity(controller.signal);
  } finally {
    cancel();
  }
}

/** What is believed at start: the metadata service when it answers, else what was known before. */
export function believe(identity: InstanceIdentity | undefined, remembered: InstanceFacts | undefined): InstanceFacts | undefined {
  if (identity === undefined) return remembered;
  const same = remembered?.identity.instanceId === identity.instanceId && remembered.identity.instanceType === identity.instanceType;
  return same ? { ...remembered, identity } : { identity };
}

/** Goes on asking until there is an answer. Throws {@link InstanceChanged} for a disk that came from another instance. Undefined when the signal ends it. */
export async function learnIdentity(options: {
  readonly metadata: Metadata;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly remembered: InstanceFacts | undefined;
  readonly signal: AbortSignal;
  readonly onFailure: (message: string) => void;
}): Promise<InstanceIdentity | undefined> {
  const { metadata, clock, random, log, remembered, signal } = options;
  let said = "";
  const identity = await retry(() => metadata.identity(signal), {
    clock,
    random,
    firstMs: 1_000,
    maxMs: 15_000,
    signal,
    onFailure: (error) => {
      const message = error instanceof Error ? error.message : String(error);
      options.onFailure(message);
      if (message !== said) log.warn(message);
      said = message;
    },
  });
  if (identity === undefined) return undefined;
  log.info({ instanceId: identity.instanceId }, "the instance metadata answers");
  if (remembered !== undefined && remembered.identity.instanceId !== identity.instanceId) {
    throw new InstanceChanged(`this is ${identity.instanceId}, the journal is that of ${remembered.identity.instanceId}`);
  }
  return identity;
}
