import { z } from "zod";
import { type ConfigIssue, formatPath } from "./config-issue.ts";

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

function asksForSomething(info: ConfigKey, value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (info.inert !== undefined) return value !== info.inert;
  if (typeof value === "object") return Object.keys(value).length > 0;
  return value !== false && value !== 0 && value !== "";
}

/** One warning for each key, at any depth, whose value asks for something that does not happen (yet). */
export function notImplemented(schema: z.ZodObject, value: unknown, path: readonly string[] = []): ConfigIssue[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]): ConfigIssue[] => {
    const child = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined;
    if (!(child instanceof z.ZodType)) return [];
    const info = keyInfo(child);
    const where = formatPath([...path, name]);
    const inner = child instanceof z.ZodOptional ? child.unwrap() : child;
    const nested = inner instanceof z.ZodObject ? notImplemented(inner, item, [...path, name]) : [];
    const plain = typeof item === "string" ? item.toLowerCase() : item;
    if (info?.status === "planned" && asksForSomething(info, plain)) {
      return [{ path: where, code: "not_implemented", message: `\`${where}\` is accepted but not implemented yet; ignored.` }];
    }
    if (info?.status === "ignored" && asksForSomething(info, plain)) {
      return [{ path: where, code: "ignored", message: `\`${where}\` has no effect. ${info.meaning}` }];
    }
    return nested;
  });
}

/** One of `values`, any case; an empty text is Go's way of saying nothing. */
export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.preprocess(
    (value) => (value === "" ? undefined : typeof value === "string" ? value.toLowerCase() : value),
    z.enum(values).optional(),
  );
}
