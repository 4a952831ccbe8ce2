import { z } from "zod";

/**
 * What people need to know of a configuration key; the reference page and the warnings at start are made from it. To implement a key, set its
 * status to `active` and read its value.
 */
export interface ConfigKey {
  /** For people: `integer ≥ 0`, `list of CIDR`. */
  readonly type: string;
  readonly meaning: string;
  /**
   * `active`: does what it says. `planned`: accepted, not implemented yet, warned about. `ignored`: accepted for compatibility, has no effect
   * here, warned about. `synonym`: another spelling of a key that is named in the meaning.
   */
  readonly status: "active" | "planned" | "ignored" | "synonym";
  /** Its value is never printed. */
  readonly secret?: boolean;
  /** The value that asks for nothing, so that no warning is due. Without it: false, 0, "", empty list, empty object. */
  readonly inert?: unknown;
  /** Of an active key: values that are accepted, but not implemented yet, and what happens instead. */
  readonly plannedValues?: { readonly values: readonly string[]; readonly instead: string };
}

const registry = z.registry<ConfigKey>();

/** A copy of the schema (so that keys may share one) with what people need to know attached. */
export function key<T extends z.ZodType>(schema: T, info: ConfigKey): T {
  const own = schema.clone();
  registry.add(own, info);
  return own;
}

export function keyInfo(schema: z.ZodType): ConfigKey | undefined {
  return registry.get(schema);
}

/** False for values that ask for nothing; a key with such a value needs no warning when it is not implemented. */
export function asksForSomething(info: ConfigKey, value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (info.inert !== undefined) return value !== info.inert;
  if (typeof value === "object") return Object.keys(value).length > 0;
  return value !== false && value !== 0 && value !== "";
}

/** One of `values`, any case; an empty text is Go's way of saying nothing. */
export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.preprocess(
    (value) => (value === "" ? undefined : typeof value === "string" ? value.toLowerCase() : value),
    z.enum(values).optional(),
  );
}
