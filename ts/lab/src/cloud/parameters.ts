import { z } from "zod";
import { apiError } from "./api-error.ts";

/** A call's parameters as they come: flat names, text values. */
export type WireParameters = Readonly<Record<string, string>>;

/** Names that belong to the gateway or that every operation accepts and ignores. */
const common = new Set([
  "Action",
  "Version",
  "Format",
  "AccessKeyId",
  "Signature",
  "SignatureMethod",
  "SignatureVersion",
  "SignatureNonce",
  "Timestamp",
  "SecurityToken",
  "SignatureType",
  "OwnerId",
  "OwnerAccount",
  "ResourceOwnerId",
  "ResourceOwnerAccount",
  "RegionId",
]);

/** Without gateway parameters and empty values: the real gateway takes `NextToken=` for absent. */
export function operationParameters(wire: WireParameters): WireParameters {
  return Object.fromEntries(Object.entries(wire).filter(([name, value]) => value !== "" && !common.has(name)));
}

/** `Tag.1.Key=a` → `{Tag: [{Key: "a"}]}`. Lists keep the order of their numbers; gaps close. */
export function unflatten(wire: WireParameters): Record<string, unknown> {
  const root = new Map<string, Node>();
  for (const [name, value] of Object.entries(wire)) insert(root, name.split("."), value);
  return toObject(root);
}

type Node = string | Map<string, Node>;

function insert(into: Map<string, Node>, path: readonly string[], value: string): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    into.set(head, value);
    return;
  }
  const child = into.get(head);
  const next = child instanceof Map ? child : new Map<string, Node>();
  into.set(head, next);
  insert(next, rest, value);
}

function toObject(node: Map<string, Node>): Record<string, unknown> {
  return Object.fromEntries([...node].map(([name, child]) => [name, toValue(child)]));
}

function toValue(node: Node): unknown {
  if (typeof node === "string") return node;
  const keys = [...node.keys()];
  if (!keys.every((key) => /^\d+$/.test(key))) return toObject(node);
  return [...node].sort(([a], [b]) => Number(a) - Number(b)).map(([, child]) => toValue(child));
}

/** Answers the first problem as the gateway would: what is missing first, then what is wrong, then what is unknown. */
export function parseParameters<S extends z.ZodObject>(schema: S, wire: WireParameters, strict: boolean): z.infer<S> {
  const given = unflatten(operationParameters(wire));
  const result = (strict ? schema.strict() : schema.strip()).safeParse(given);
  if (result.success) return result.data as z.infer<S>;
  const { issues } = result.error;
  const missing = issues.find((issue) => issue.path.length === 1 && given[String(issue.path[0])] === undefined);
  if (missing !== undefined) throw apiError("MissingParameter", { name: String(missing.path[0]) });
  const wrong = issues.find((issue) => issue.code !== "unrecognized_keys");
  if (wrong !== undefined) throw apiError("InvalidParameter", { name: wireName(wrong.path), reason: wrong.message });
  const unknown = issues.find((issue) => issue.code === "unrecognized_keys");
  throw apiError("UnsupportedParameter", { name: unknown?.code === "unrecognized_keys" ? (unknown.keys[0] ?? "") : "" });
}

function wireName(path: readonly PropertyKey[]): string {
  return path.map((part) => (typeof part === "number" ? part + 1 : String(part))).join(".");
}

// Building blocks of the operations' schemas.

export const text = z.string();

export function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^-?\d{1,9}$/, "It is no integer.")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `It must be between ${min} and ${max}.`);
}

export const flag = z
  .string()
  .regex(/^(true|false)$/i, "It must be true or false.")
  .transform((value) => value.toLowerCase() === "true");

export function list(max: number) {
  return z.array(z.string()).max(max, `It must not have more than ${max} entries.`);
}

export const tagList = z.array(z.object({ Key: z.string().optional(), Value: z.string().optional() }));

export const clientToken = z
  .string()
  .max(64)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the documentation allows ASCII, control characters included.
  .regex(/^[\x00-\x7f]*$/);
