import type { z } from "zod";
import type { Transaction } from "../transaction.ts";

/** Something the simulator's owner does, not a caller of the API: build a VPC, break things, change settings. */
export interface AdminCommand<I = unknown, R = unknown> {
  readonly name: string;
  /** Whether it stands in the history: what callers could notice does. */
  readonly recorded: boolean;
  run(tx: Transaction, input: I): R;
}

export function adminCommand<S extends z.ZodType, R>(definition: {
  name: string;
  recorded?: boolean;
  schema: S;
  run: (tx: Transaction, input: z.output<S>) => R;
}): AdminCommand<z.input<S>, R> {
  const { name, recorded = false, schema, run } = definition;
  return { name, recorded, run: (tx, input) => run(tx, schema.parse(input)) };
}

/** A mistake of the simulator's owner, for example an id that does not exist. */
export class AdminError extends Error {
  override readonly name = "AdminError";
}
