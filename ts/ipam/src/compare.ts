import type { Eni } from "@terway/model";
import type { Inventory } from "./inventory.ts";
import type { KnownEni } from "./journal/record.ts";
import { knownEni } from "./operation/context.ts";
import { proofMs } from "./suspicion.ts";

/** What an observation of the cloud says against what is known. Plain data: what to believe of it is decided by {@link Suspicions}. */
export interface Difference {
  /** Ours and unknown so far. */
  readonly adopted: readonly KnownEni[];
  /** Known, and in another status. */
  readonly moved: readonly Pick<KnownEni, "id" | "status">[];
  /** Addresses on known ENIs that nobody has recorded. */
  readonly found: readonly { readonly id: string; readonly family: "ipv4" | "ipv6"; readonly addresses: readonly string[] }[];
  /** Unassigns that are seen to be done. */
  readonly unassigned: readonly string[];
  /** Known addresses that the answer does not contain, by ENI. */
  readonly missing: ReadonlyMap<string, readonly string[]>;
  /** Known, attached ENIs that the answer does not contain. */
  readonly absent: readonly string[];
  /** Attached to the instance, not ours, and taking a slot. */
  readonly foreign: readonly KnownEni[];
  /** Known as ours, and marked as not ours since. */
  readonly disowned: readonly string[];
  /** Ours, attached to this instance and in the answer. */
  readonly seen: readonly string[];
}

/** State of the inventory when the question was sent: what we changed meanwhile is not compared, because the answer may be older or younger. */
export type Epochs = ReadonlyMap<string, number>;

export function epochsOf(inventory: Inventory): Epochs {
  return new Map([...inventory.ledger.enis.keys()].map((id) => [id, inventory.epochOf(id)]));
}

export interface Question {
  readonly epochs: Epochs;
  /** When it was sent, monotonic. */
  readonly askedMs: number;
  readonly instanceId: string;
  /** ENIs that must be in the answer when they exist; undefined: all that are attached. */
  readonly asked?: ReadonlySet<string>;
}

export function compare(inventory: Inventory, answer: readonly Eni[], question: Question): Difference {
  const shown = new Map(answer.map((eni) => [eni.id, eni]));
  const adopted: KnownEni[] = [];
  const moved: Pick<KnownEni, "id" | "status">[] = [];
  const found: { id: string; family: "ipv4" | "ipv6"; addresses: string[] }[] = [];
  const unassigned: string[] = [];
  const missing = new Map<string, readonly string[]>();
  const foreign: KnownEni[] = [];
  const disowned: string[] = [];
  const seen: string[] = [];
  for (const eni of shown.values()) {
    if (eni.type === "Primary" || eni.type === "Member") continue;
    const known = inventory.ledger.enis.get(eni.id);
    if (!known) {
      if (isOurs(inventory, eni)) adopted.push(knownEni(eni));
      else foreign.push(knownEni(eni));
      continue;
    }
    if (eni.status === "InUse" && eni.instanceId === question.instanceId) seen.push(eni.id);
    if (!isQuiet(inventory, known, question.epochs)) continue;
    if (isBlocked(inventory, eni) && !inventory.isHeld(eni.id)) {
      disowned.push(eni.id);
      foreign.push(knownEni(eni));
      continue;
    }
    const leaving = new Set<string>();
    for (const operation of inventory.operationsOn(eni.id)) {
      if (operation.kind !== "unassign") continue;
      const shows = operation.addresses.some((address) => eni[operation.family].includes(address));
      const askedAfterMs = question.askedMs - (inventory.answeredAtMs(operation.id) ?? question.askedMs);
      // Shown so long after it was taken away, it is there: a later assign whose answer was lost brought it back.
      if (!shows || askedAfterMs >= proofMs) unassigned.push(operation.id);
      else for (const address of operation.addresses) leaving.add(address);
    }
    const lacking: string[] = [];
    for (const family of ["ipv4", "ipv6"] as const) {
      const extra = eni[family].filter((address) => !known[family].includes(address) && !leaving.has(address));
      if (extra.length > 0) found.push({ id: eni.id, family, addresses: extra });
      lacking.push(...known[family].filter((address) => !eni[family].includes(address)));
    }
    if (lacking.length > 0) missing.set(eni.id, lacking);
    if (eni.status !== known.status) moved.push({ id: eni.id, status: eni.status });
  }
  const absent: string[] = [];
  for (const known of inventory.ledger.enis.values()) {
    const expected = question.asked ? question.asked.has(known.id) : known.status === "InUse";
    if (expected && !shown.has(known.id) && isQuiet(inventory, known, question.epochs)) absent.push(known.id);
  }
  return { adopted, moved, found, unassigned, missing, absent, foreign, disowned, seen };
}

/** Ours are those that carry all our tags and none of the blocked ones. Without tags in the configuration nothing is ours but what the journal knows. */
export function isOurs(inventory: Inventory, eni: Eni): boolean {
  const { eniTags, tagFilter = {} } = inventory.config;
  const isOwn = eni.type === "Secondary" && Object.keys(eniTags).length > 0 && !isBlocked(inventory, eni);
  return isOwn && Object.entries({ ...tagFilter, ...eniTags }).every(([key, value]) => eni.tags[key] === value);
}

function isBlocked({ config }: Inventory, eni: Eni): boolean {
  return config.tagBlockList?.some(({ key, value }) => eni.tags[key] === value) ?? false;
}

/** No operation of ours works on it, and none began or ended since the question was sent. */
function isQuiet(inventory: Inventory, known: KnownEni, epochs: Epochs): boolean {
  if (epochs.get(known.id) !== inventory.epochOf(known.id)) return false;
  return inventory.operationsOn(known.id).every((operation) => operation.kind === "unassign" && inventory.isAnswered(known, operation));
}
