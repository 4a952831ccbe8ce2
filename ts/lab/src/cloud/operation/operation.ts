import type { z } from "zod";
import { parseParameters, type WireParameters } from "../parameters.ts";
import type { Delays } from "../settings.ts";
import type { CloudState } from "../state.ts";
import type { Transaction } from "../transaction.ts";
import type { TransitionFault } from "../transition.ts";

export type Product = "Ecs" | "Vpc";
export type Body = Record<string, unknown>;

export interface Call {
  readonly tx: Transaction;
  /** Marks an ENI as busy until the call is answered. */
  readonly id: string;
  /** What Describe operations read: the state, or the past while answers lag. */
  readonly view: CloudState;
  /** Give at most this many addresses although more were asked (fault F38). */
  readonly partial?: number;
  readonly transitionFault: TransitionFault;
}

export interface Operation {
  readonly action: string;
  readonly product: Product;
  readonly writes: boolean;
  readonly delay: keyof Delays;
  /** Same client token, same answer. */
  readonly idempotent: boolean;
  /** RegionId must be given; a wrong one is refused in any case. */
  readonly regionRequired: boolean;
  /** Names of its own parameters, lists and objects without their numbers. */
  readonly parameters: readonly string[];
  /** Runs the call; throws ApiError. */
  run(wire: WireParameters, call: Call): Body;
  /** ARNs behind `acs:<product>:<region>:<account>:` on which the caller needs the permission. */
  resources(wire: WireParameters): readonly string[];
}

/** Ties the schema to the function that reads what it parsed. */
export function operation<S extends z.ZodObject>(definition: {
  action: string;
  product: Product;
  writes: boolean;
  delay: keyof Delays;
  idempotent?: boolean;
  regionRequired?: boolean;
  schema: S;
  resources?: (wire: WireParameters) => readonly string[];
  run: (parameters: z.infer<S>, call: Call) => Body;
}): Operation {
  const { schema, run, resources, idempotent = false, regionRequired = true, ...rest } = definition;
  return {
    ...rest,
    idempotent,
    regionRequired,
    parameters: Object.keys(schema.shape),
    resources: resources ?? (() => ["*"]),
    run: (wire, call) => run(parseParameters(schema, wire, call.tx.state.settings.strictParameters), call),
  };
}

/** The resource of operations on one ENI. */
export function eniResource(wire: WireParameters): readonly string[] {
  return [`eni/${wire.NetworkInterfaceId ?? "*"}`];
}

/** The resource of operations on one security group. */
export function groupResource(wire: WireParameters): readonly string[] {
  return [`securitygroup/${wire.SecurityGroupId ?? "*"}`];
}
