import type { z } from "zod";

/** One finding about a configuration. Never holds a secret. */
export interface ConfigIssue {
  /** Where, as people write it: `vswitches.cn-hangzhou-a[0]`; empty for the text as a whole. */
  readonly path: string;
  readonly code:
    | "syntax"
    | "type"
    | "value"
    | "conflict"
    | "unknown_key"
    | "duplicate_key"
    | "not_implemented"
    | "ignored"
    | "synonym"
    | "overridden"
    | "unsupported"
    | "pending";
  /** Complete sentence without the path. */
  readonly message: string;
  /** Only for syntax errors; both count from 1. */
  readonly line?: number;
  readonly column?: number;
}

/** The issue as one line for log and terminal. */
export function formatIssue(issue: ConfigIssue): string {
  const where = issue.line === undefined ? issue.path : `line ${issue.line}, column ${issue.column}`;
  return where === "" ? issue.message : `${where}: ${issue.message}`;
}

const plainName = /^[A-Za-z_][\w-]*$/;

/** `["vswitches", "cn-hangzhou-a", 0]` → `vswitches.cn-hangzhou-a[0]`; names with dots or slashes are quoted: `["cni.dev/x"]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (plainName.test(String(step))) text += text === "" ? String(step) : `.${String(step)}`;
    else text += `[${JSON.stringify(String(step))}]`;
  }
  return text;
}

const article = (type: string) => (/^[aeio]/.test(type) ? `an ${type}` : `a ${type}`);

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function typeName(expected: string): string {
  return { int: "integer", array: "list", record: "object" }[expected] ?? expected;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

/** zod's findings as ours: one sentence each, naming what stands there unless `isSecret` says that it must not be shown. */
export function issuesOf(error: z.ZodError, input: unknown, isSecret: (path: readonly PropertyKey[]) => boolean): ConfigIssue[] {
  return error.issues.map((issue) => {
    const path = formatPath(issue.path);
    const value = valueAt(input, issue.path);
    if (issue.code === "invalid_type") {
      return {
        path,
        code: "type",
        message: `must be ${article(typeName(issue.expected))}, but is ${value === undefined ? "missing" : article(typeOf(value))}.`,
      };
    }
    const scalar = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    const shown = scalar && !isSecret(issue.path) ? `, but is ${JSON.stringify(value)}` : "";
    return { path, code: "value", message: `${sentenceOf(issue)}${shown}.` };
  });
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  const unit = (origin: string, count: number | bigint) =>
    origin === "string" ? ` character${count === 1 ? "" : "s"}` : origin === "array" ? ` element${count === 1 ? "" : "s"}` : "";
  switch (issue.code) {
    case "too_small":
      return `must be at least ${issue.minimum}${unit(issue.origin, issue.minimum)}`;
    case "too_big":
      return `must be at most ${issue.maximum}${unit(issue.origin, issue.maximum)}`;
    case "invalid_value":
      return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    default:
      return issue.message;
  }
}

/** Paths of keys that the schema does not know, with the nearest known name where one is near. */
export function unknownKeys(schema: z.ZodType, value: unknown): ConfigIssue[] {
  const found: ConfigIssue[] = [];
  walk(schema as AnySchema, value, [], found);
  return found;
}

/** What the walk needs of zod's schema objects; zod publishes `def` but types it per class. */
interface AnySchema {
  readonly def: {
    readonly type: string;
    readonly innerType?: AnySchema;
    readonly in?: AnySchema;
    readonly element?: AnySchema;
    readonly valueType?: AnySchema;
    readonly shape?: Readonly<Record<string, AnySchema>>;
    readonly catchall?: AnySchema;
  };
}

function walk(schema: AnySchema, value: unknown, path: readonly PropertyKey[], found: ConfigIssue[]): void {
  const { def } = schema;
  const inner = def.innerType ?? (def.type === "pipe" ? def.in : undefined);
  if (inner !== undefined) {
    walk(inner, value, path, found);
    return;
  }
  if (Array.isArray(value)) {
    const element = def.element;
    if (element !== undefined)
      value.forEach((item, index) => {
        walk(element, item, [...path, index], found);
      });
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const child = def.shape !== undefined && Object.hasOwn(def.shape, key) ? def.shape[key] : def.valueType;
    if (child !== undefined) walk(child, item, [...path, key], found);
    else if (def.shape !== undefined && def.catchall === undefined) {
      const near = nearest(key, Object.keys(def.shape));
      const hint = near === undefined ? "" : ` Did you mean \`${near}\`?`;
      found.push({ path: formatPath([...path, key]), code: "unknown_key", message: `is not a known key and is ignored.${hint}` });
    }
  }
}

/** The candidate with the fewest edits (case and `-`/`_` do not count), when a third of the word or less has to change. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, "");
  let best: string | undefined;
  let bestDistance = Math.floor(word.length / 3) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(plain(word), plain(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Edits between two words, two swapped neighbours being one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (beforePrevious[j - 2] ?? 0) + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The configuration cannot be used, and nobody will mend it while we wait. */
export class WrongConfiguration extends Error {
  override readonly name = "WrongConfiguration";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}
