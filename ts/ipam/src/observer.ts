import type { Clock, Cloud, Eni, Metadata, PoolEvent, Random, VSwitch } from "@terway/model";
import type { Backoffs } from "./backoff.ts";
import { backoffMs } from "./backoff.ts";
import type { Difference, Epochs } from "./compare.ts";
import { compare, epochsOf } from "./compare.ts";
import type { Inventory } from "./inventory.ts";
import { addressesOf } from "./journal/ledger.ts";
import type { JournalRecord, KnownVSwitch } from "./journal/record.ts";
import type { Attempt } from "./operation/context.ts";
import { keys, knownEni } from "./operation/context.ts";
import type { Problems } from "./problems.ts";
import { problemOf } from "./problems.ts";
import { proofMs, Suspicions } from "./suspicion.ts";

/** Waits after a look that failed, until the first one has succeeded. */
const firstLookSteps = { firstMs: 1_000, maxMs: 60_000 };
/** The same afterwards: what is suspected is not given out until the cloud has answered, and a period may be half a day. */
const laterLookSteps = { firstMs: 30_000, maxMs: 600_000 };
/** An unassign is open until it is seen to be done, however rarely the cloud is looked at otherwise. */
export const unassignedSeenWithinMs = 120_000;
/** vSwitch counts and ENIs that nobody attached are looked for this rarely (I5: what we made is found within 10 minutes). */
const rareMs = 600_000;
/** The tag that says which instance an ENI was created for: it finds those that were never attached. */
export const instanceTag = "terway.alibabacloud.com/instance-id";

export interface ObserverContext {
  readonly cloud: Cloud;
  readonly metadata: Metadata | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly instanceId: string;
  readonly inventory: Inventory;
  readonly problems: Problems;
  readonly backoffs: Backoffs;
  /** One answer proves an absence: it is the word of who makes it so, and never late. */
  readonly isFinal: boolean;
  emit(event: PoolEvent): void;
  record(records: readonly JournalRecord[]): Promise<void>;
  /** One cloud call as a value; throws when the pool closes. */
  attempt<T>(action: string, call: () => Promise<T>): Promise<Attempt<T>>;
}

/**
 * Looks at the cloud: once at start, then every ten minutes, and whenever something is contradicted: by an answer, or by what the instance's own
 * metadata show, which are read each period and cost the cloud nothing.
 */
export class Observer {
  /** Free addresses of each vSwitch as last heard; a hint. */
  readonly availableIpv4 = new Map<string, number>();
  readonly suspicions: Suspicions;
  private readonly context: ObserverContext;
  private rareAtMs = Number.NEGATIVE_INFINITY;
  /** Looks in a row after which an ENI was still not to be given out: not confirmed by any answer, or its vSwitch unknown. */
  private blindLooks = 0;
  /** Of every ENI that the last answer showed on this instance. */
  private shownMacs: ReadonlySet<string> = new Set();

  constructor(context: ObserverContext) {
    this.context = context;
    this.suspicions = new Suspicions(context.clock);
  }

  /** Milliseconds until the next look: a jittered period, earlier when something is suspected or nothing has ever been seen. */
  delayMs(failures: number, seenOnce: boolean): number {
    const { random, inventory } = this.context;
    const periodMs = inventory.config.syncPeriodMs * (0.8 + 0.4 * random.next());
    if (failures > 0) return Math.min(periodMs, backoffMs(seenOnce ? laterLookSteps : firstLookSteps, failures - 1, random));
    if ([...this.suspicions.names()].length > 0) return Math.min(periodMs, proofMs);
    if (this.blindLooks > 0) return Math.min(periodMs, backoffMs(laterLookSteps, this.blindLooks - 1, random));
    const unseen = [...inventory.running.values()].some(({ kind }) => kind === "unassign");
    return unseen ? Math.min(periodMs, unassignedSeenWithinMs) : periodMs;
  }

  /**
   * Whether the instance itself shows what the journal says and nothing else is open, so that the cloud need not be asked this period. Never when a look
   * is due that finds more than an instance can show (orphans, the vSwitches' counts, security groups).
   */
  async isQuiet(): Promise<boolean> {
    const { metadata, inventory, clock } = this.context;
    if (!metadata || clock.monotonicMs() >= this.rareAtMs) return false;
    const isOpen = () => inventory.running.size > 0 || inventory.suspects.size > 0 || [...this.suspicions.names()].length > 0;
    if (isOpen()) return false;
    const epochs = epochsOf(inventory);
    const shown = await metadata.enis().catch(() => undefined);
    // What changed while the answer was on its way is no contradiction, and no agreement.
    if (!shown || isOpen() || shown.some(({ mac }) => !this.shownMacs.has(mac))) return false;
    return [...inventory.ledger.enis.values()].every((known) => {
      const eni = shown.find(({ mac }) => mac === known.mac);
      const isSameSet = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((address) => b.includes(address));
      return (
        epochs.get(known.id) === inventory.epochOf(known.id) &&
        (known.status === "InUse"
          ? eni !== undefined && isSameSet(known.ipv4, eni.ipv4) && isSameSet(known.ipv6, eni.ipv6)
          : eni === undefined)
      );
    });
  }

  /** One look. False when the cloud did not answer. */
  async look(): Promise<boolean> {
    const { cloud, instanceId, inventory } = this.context;
    this.dropIdleSuspicions();
    const epochs = epochsOf(inventory);
    const askedMs = this.context.clock.monotonicMs();
    const answer = await this.describe(() => cloud.describeEnis({ instanceId }));
    if (!answer.ok) return false;
    this.shownMacs = new Set(answer.value.map(({ mac }) => mac));
    for (const { id, securityGroupIds } of answer.value) inventory.securityGroups.set(id, securityGroupIds);
    const difference = compare(inventory, answer.value, { epochs, askedMs, instanceId });
    inventory.foreign = difference.foreign;
    await this.believe(difference);
    await this.confirm(difference, epochs);
    const rare = this.context.clock.monotonicMs() >= this.rareAtMs;
    if (rare) await this.findOrphans();
    await this.readVSwitches(rare);
    const isBlind = [...inventory.ledger.enis.values()].some(
      ({ id, status, vSwitchId }) => status === "InUse" && !(inventory.confirmed.has(id) && inventory.ledger.vSwitches.has(vSwitchId)),
    );
    this.blindLooks = isBlind ? this.blindLooks + 1 : 0;
    if (rare) this.rareAtMs = this.context.clock.monotonicMs() + rareMs;
    return true;
  }

  /** The cloud does not answer: what the instance itself says of its ENIs is a second witness against the journal. */
  async askMetadata(): Promise<void> {
    const { metadata, inventory } = this.context;
    if (!metadata) return;
    const enis = await metadata.enis().catch(() => undefined);
    if (!enis) return;
    for (const known of inventory.ledger.enis.values()) {
      const shown = enis.find((eni) => eni.mac === known.mac);
      if (known.status === "InUse" && !shown) inventory.suspects.add(known.id);
      if (!shown) continue;
      for (const address of known.ipv4) if (!shown.ipv4.includes(address)) inventory.suspects.add(address);
      for (const address of known.ipv6) if (!shown.ipv6.includes(address)) inventory.suspects.add(address);
    }
  }

  /** What an answer shows may be believed at once; only what it lacks has to be proven. */
  private async believe(difference: Difference): Promise<void> {
    const { inventory } = this.context;
    const records: JournalRecord[] = [];
    const detached = difference.moved.filter((eni) => eni.status !== "InUse").flatMap(({ id }) => inventory.ledger.enis.get(id) ?? []);
    for (const eni of difference.adopted) records.push({ t: "eni", eni });
    for (const { id, status } of difference.moved) records.push({ t: "eni-status", id, status });
    for (const { addresses, ...where } of difference.found) records.push({ t: "assigned", ...where, addresses: [...addresses] });
    for (const id of difference.unassigned) records.push({ t: "end", id });
    for (const id of difference.disowned) records.push({ t: "eni-gone", id });
    if (records.length > 0) await this.context.record(records);
    for (const id of difference.unassigned) inventory.running.delete(id);
    for (const id of difference.disowned) inventory.forget(id);
    for (const eni of difference.adopted) if (eni.status === "InUse") inventory.confirmed.add(eni.id);
    for (const eni of detached) if (eni.status === "InUse") this.reportVanished(eni.id, [...eni.ipv4, ...eni.ipv6]);
    const missing = new Set([...difference.missing.values()].flat());
    for (const id of difference.seen) {
      inventory.confirmed.add(id);
      this.clear(id);
      const eni = inventory.ledger.enis.get(id);
      for (const address of eni ? [...eni.ipv4, ...eni.ipv6] : []) if (!missing.has(address)) this.clear(address);
    }
  }

  /** What left the ledger by another way (an ENI removed, an address given back) is not looked for any more. */
  private dropIdleSuspicions(): void {
    const { ledger, suspects } = this.context.inventory;
    const known = new Set([...ledger.enis.values()].flatMap((eni) => [eni.id, ...eni.ipv4, ...eni.ipv6]));
    for (const name of [...this.suspicions.names(), ...suspects]) if (!known.has(name)) this.clear(name);
  }

  private clear(name: string): void {
    this.suspicions.cleared(name);
    this.context.inventory.suspects.delete(name);
  }

  /** Asks again, by id, for what the first answer lacked, and decides what is gone. */
  private async confirm(first: Difference, epochs: Epochs): Promise<void> {
    const asked = new Set([...first.absent, ...first.missing.keys()]);
    if (asked.size === 0) return;
    const { cloud, inventory, instanceId } = this.context;
    const askedMs = this.context.clock.monotonicMs();
    const answer = await this.describe(() => cloud.describeEnis({ eniIds: [...asked] }));
    if (!answer.ok) return;
    // What was recorded since the first answer changed no ENI by an operation, so the same epochs hold.
    const second = compare(inventory, answer.value, { epochs, askedMs, instanceId, asked });
    await this.believe(second);
    for (const id of second.absent) await this.lose(id, undefined);
    for (const [id, addresses] of second.missing) await this.lose(id, addresses);
  }

  private async lose(eniId: string, addresses: readonly string[] | undefined): Promise<void> {
    const { inventory } = this.context;
    const proven: string[] = [];
    for (const name of addresses ?? [eniId]) {
      const verdict = this.context.isFinal ? "proven" : this.suspicions.missed(name);
      if (verdict !== "young") inventory.suspects.add(name);
      if (verdict === "proven") proven.push(name);
    }
    const known = inventory.ledger.enis.get(eniId);
    if (!known || proven.length === 0) return;
    const gone: JournalRecord[] = (["ipv4", "ipv6"] as const).map((family) => ({ t: "unassigned", id: eniId, family, addresses: proven }));
    await this.context.record(addresses === undefined ? [{ t: "eni-gone", id: eniId }] : gone);
    for (const name of proven) this.clear(name);
    if (addresses === undefined) inventory.forget(eniId);
    this.reportVanished(eniId, addresses === undefined ? [...known.ipv4, ...known.ipv6] : proven);
  }

  /** A pod uses an address that the cloud does not have any more: its lease stays, somebody has to know. */
  private reportVanished(eniId: string, addresses: readonly string[]): void {
    for (const lease of this.context.inventory.ledger.leases.values()) {
      if (lease.eniId !== eniId) continue;
      for (const address of addressesOf(lease)) {
        if (addresses.includes(address)) this.context.emit({ type: "address-vanished", address, leaseId: lease.id });
      }
    }
  }

  /** ENIs that were created for this instance and never attached, and that no journaled operation knows (the journal was lost or cut). */
  private async findOrphans(): Promise<void> {
    const { cloud, inventory, instanceId } = this.context;
    const creating = () => [...inventory.running.values()].some((operation) => operation.kind === "create");
    if (creating()) return;
    const answer = await this.describe(() => cloud.describeEnis({ tags: { [instanceTag]: instanceId } }));
    if (!answer.ok || creating()) return;
    const orphans = answer.value.filter(
      (eni: Eni) => eni.instanceId === undefined && eni.type === "Secondary" && !inventory.ledger.enis.has(eni.id),
    );
    if (orphans.length > 0) await this.context.record(orphans.map((eni) => ({ t: "eni" as const, eni: knownEni(eni) })));
  }

  /** CIDRs never change and are journaled; counts are hints for the policy `most`. */
  private async readVSwitches(refresh: boolean): Promise<void> {
    const { cloud, inventory } = this.context;
    const wanted = new Set([...inventory.config.vSwitchIds, ...[...inventory.ledger.enis.values()].map((eni) => eni.vSwitchId)]);
    const ids = [...wanted].filter((id) => refresh || !inventory.ledger.vSwitches.has(id));
    if (ids.length === 0) return;
    const answer = await this.context.attempt("DescribeVSwitches", () => cloud.describeVSwitches(ids));
    if (!answer.ok) {
      this.context.problems.set("call:DescribeVSwitches", problemOf(answer.error, {}));
      return;
    }
    this.context.problems.clear("call:DescribeVSwitches");
    for (const { id, availableIpv4 } of answer.value) {
      this.availableIpv4.set(id, availableIpv4);
      // Nobody may have asked it for anything since it was found empty: then this is how its problem ends.
      const isOver = availableIpv4 > 0 && !this.context.backoffs.isWaiting(keys.vSwitch(id));
      if (isOver && this.context.problems.get(keys.vSwitch(id))?.class === "exhausted") this.context.problems.clear(keys.vSwitch(id));
    }
    const fresh = answer.value.map(knownVSwitch).filter((vSwitch) => !isSame(inventory.ledger.vSwitches.get(vSwitch.id), vSwitch));
    if (fresh.length > 0) await this.context.record(fresh.map((vSwitch) => ({ t: "vswitch" as const, vSwitch })));
  }

  private async describe<T>(call: () => Promise<T>): Promise<Attempt<T>> {
    const answer = await this.context.attempt("DescribeNetworkInterfaces", call);
    if (answer.ok) this.context.problems.clear(keys.observe);
    else this.context.problems.set(keys.observe, problemOf(answer.error, {}));
    return answer;
  }
}

function knownVSwitch({ id, zoneId, cidr, ipv6Cidr }: VSwitch): KnownVSwitch {
  return { id, zoneId, cidr, ...(ipv6Cidr !== undefined && { ipv6Cidr }) };
}

function isSame(a: KnownVSwitch | undefined, b: KnownVSwitch): boolean {
  return a?.cidr === b.cidr && a.ipv6Cidr === b.ipv6Cidr && a.zoneId === b.zoneId;
}
