import { leaseSchema } from "@terway/model";
import { z } from "zod";
import type { Frame } from "./frame.ts";
import { encodeFrame, frameVersion } from "./frame.ts";

/** When an address began to rest. */
const restSchema = z.object({
  /** Wall time, for people. */
  wallMs: z.number(),
  /** Monotonic reading; means something only to processes of the same boot. */
  monotonicMs: z.number(),
  /** Absent when the platform did not say which boot it was. */
  bootId: z.string().exactOptional(),
  /** It is longer for everybody but the next sandbox of this pod (`namespace/name`), which need not wait. */
  keptFor: z.object({ pod: z.string(), ms: z.number() }).exactOptional(),
});
export type Rest = z.infer<typeof restSchema>;

const familySchema = z.enum(["ipv4", "ipv6"]);
const eniStatusSchema = z.enum(["Creating", "Available", "Attaching", "InUse", "Detaching", "Deleting"]);

const knownEniSchema = z.object({
  id: z.string(),
  mac: z.string(),
  type: z.enum(["Primary", "Secondary", "Trunk", "Member"]),
  /** `InUse` is the only one whose addresses are given out. */
  status: eniStatusSchema,
  vSwitchId: z.string(),
  primaryIpv4: z.string(),
  ipv4: z.array(z.string()),
  ipv6: z.array(z.string()),
});
/** One of our ENIs as the cloud last showed it. Only ours are journaled. */
export type KnownEni = z.infer<typeof knownEniSchema>;

const knownVSwitchSchema = z.object({ id: z.string(), zoneId: z.string(), cidr: z.string(), ipv6Cidr: z.string().exactOptional() });
/** What of a vSwitch never changes while addresses of it are in use. */
export type KnownVSwitch = z.infer<typeof knownVSwitchSchema>;

export const operationSchema = z.discriminatedUnion("kind", [
  z.object({
    id: z.string(),
    kind: z.literal("create"),
    clientToken: z.string(),
    vSwitchId: z.string(),
    securityGroupIds: z.array(z.string()),
    secondaryIpv4Count: z.number(),
    ipv6Count: z.number(),
    tags: z.record(z.string(), z.string()),
    resourceGroupId: z.string().exactOptional(),
  }),
  z.object({ id: z.string(), kind: z.literal("attach"), eniId: z.string() }),
  z.object({
    id: z.string(),
    kind: z.literal("assign"),
    eniId: z.string(),
    family: familySchema,
    count: z.number(),
    clientToken: z.string(),
  }),
  z.object({
    id: z.string(),
    kind: z.literal("unassign"),
    eniId: z.string(),
    family: familySchema,
    addresses: z.array(z.string()),
  }),
  /** Detach, wait, delete. */
  z.object({ id: z.string(), kind: z.literal("remove"), eniId: z.string() }),
]);
/** A change of the cloud that was begun: journaled before the first call, ended by a record when its outcome is known. */
export type Operation = z.infer<typeof operationSchema>;
export type OperationOf<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

export const recordSchema = z.discriminatedUnion("t", [
  /** Whose journal this is, and the highest generation so far. */
  z.object({ t: z.literal("node"), instanceId: z.string(), generation: z.number().int().nonnegative() }),
  z.object({ t: z.literal("lease"), lease: leaseSchema }),
  z.object({ t: z.literal("bound"), id: z.string(), generation: z.number() }),
  z.object({ t: z.literal("releasing"), id: z.string(), generation: z.number() }),
  z.object({ t: z.literal("released"), id: z.string(), generation: z.number(), rest: restSchema }),
  z.object({ t: z.literal("rest"), addresses: z.array(z.string()), rest: restSchema }),
  z.object({ t: z.literal("eni"), eni: knownEniSchema }),
  // Changes of an ENI are journaled as differences: two operations that overlap must not write back what the other one has just changed.
  z.object({ t: z.literal("eni-status"), id: z.string(), status: eniStatusSchema }),
  z.object({ t: z.literal("assigned"), id: z.string(), family: familySchema, addresses: z.array(z.string()) }),
  z.object({ t: z.literal("unassigned"), id: z.string(), family: familySchema, addresses: z.array(z.string()) }),
  z.object({ t: z.literal("eni-gone"), id: z.string() }),
  z.object({ t: z.literal("vswitch"), vSwitch: knownVSwitchSchema }),
  z.object({ t: z.literal("begin"), operation: operationSchema }),
  z.object({ t: z.literal("end"), id: z.string() }),
  /** The pool has once had as many addresses as it was to warm up to, or was not to. */
  z.object({ t: z.literal("warmed-up") }),
]);
export type JournalRecord = z.infer<typeof recordSchema>;

/** What this version does not understand, as it stood in the file: carried along for the version that wrote it. */
export interface ForeignRecord {
  readonly version: number;
  readonly payload: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** One frame: these records become durable together or not at all. */
export function encodeCommit(records: readonly JournalRecord[]): Uint8Array {
  return encodeFrame(encoder.encode(JSON.stringify(records)));
}

export function encodeForeign(record: ForeignRecord): Uint8Array {
  return encodeFrame(record.payload, record.version);
}

/** The records of a frame in order. A type, shape or frame version from a newer release comes back as foreign and is no error. */
export function decodeCommit({ version, payload }: Frame): (JournalRecord | ForeignRecord)[] {
  const items = version === frameVersion ? parseItems(payload) : undefined;
  if (items === undefined) return [{ version, payload: Uint8Array.from(payload) }];
  return items.map((item) => {
    const parsed = recordSchema.safeParse(item);
    return parsed.success ? parsed.data : { version, payload: encoder.encode(JSON.stringify([item])) };
  });
}

function parseItems(payload: Uint8Array): unknown[] | undefined {
  try {
    const json: unknown = JSON.parse(decoder.decode(payload));
    return Array.isArray(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

export function isForeign(record: JournalRecord | ForeignRecord): record is ForeignRecord {
  return "payload" in record;
}
