import type { z } from "zod";
import type { Transaction } from "../transaction.ts";

/** Something the simulator's owner does, not a caller of the API: build a VPC, break things, change settings. */
export interface AdminCommand<I = unknown, R = unknown> {
  readonly name: string;
  /** For people, in a few words. */
  readonly about: string;
  /** Names of the input's fields. */
  readonly fields: readonly string[];
  /** Whether it stands in the history: what callers could notice does. */
  readonly recorded: boolean;
  run(tx: Transaction, input: I): R;
}

export function adminCommand<S extends z.ZodObject, R>(definition: {
  name: string;
  about: string;
  recorded?: boolean;
  schema: S;
  run: (tx: Transaction, input: z.output<S>) => R;
}): AdminCommand<z.input<S>, R> {
  const { name, about, recorded = false, schema, run } = definition;
  return { name, about, fields: Object.keys(schema.shape), recorded, run: (tx, input) => run(tx, schema.parse(input)) };
}

/** A mistake of the simulator's owner, for example an id that does not exist. */
export class AdminError extends Error {
  override readonly name = "AdminError";
}
