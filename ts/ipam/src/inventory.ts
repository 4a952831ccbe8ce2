import type { ExactAddresses, FamilyAddress, PoolConfig } from "@terway/model";
import { gatewayOf, prefixLengthOf } from "@terway/model";
import type { Ledger } from "./journal/ledger.ts";
import type { KnownEni, Operation } from "./journal/record.ts";
import type { Family, PlanAddress, PlanAddressState, PlanEni } from "./plan/index.ts";
import type { Quarantine } from "./quarantine.ts";

/** One address of each wanted family, of one ENI; with `exclusive`, the ENI as a whole. */
export interface Allocation {
  readonly eniId: string;
  readonly eniMac: string;
  readonly ipv4?: FamilyAddress;
  readonly ipv6?: FamilyAddress;
  readonly exclusive?: true;
}

/**
 * What the ledger says plus what is going on in this process and needs no durability: which operations run, which addresses are being journaled for
 * a lease, which the kernel shows in use without a lease, and what the cloud has contradicted since.
 */
export class Inventory {
  readonly ledger: Ledger;
  config: PoolConfig;
  /** Begun operations, also while their intent is on its way to the disk. */
  readonly running = new Map<string, Operation>();
  /** Addresses, and ENIs held whole, given to a lease whose record is on its way to the disk. */
  readonly reserved = new Set<string>();
  /** In use in the kernel without a lease of ours (the journal was lost): not given out while it is so. */
  readonly occupied = new Set<string>();
  /** ENIs that the cloud, or the metadata service, has shown since this process started. */
  readonly confirmed = new Set<string>();
  /** May unconfirmed ENIs be used? Only between the first look that got no answer and the first one that did; see lookout.ts. */
  trustJournal = false;
  /** ENIs and addresses that one observation missed and no second one has confirmed yet. */
  readonly suspects = new Set<string>();
  /** Security groups of our ENIs as last seen. Not journaled: an ENI that nobody has seen since the start is taken for what it was made as. */
  readonly securityGroups = new Map<string, readonly string[]>();
  /** ENIs attached to this instance that are not ours. */
  foreign: readonly KnownEni[] = [];
  private readonly quarantine: Quarantine;
  /** Whether what is reserved are whole ENIs. */
  private reservedWhole = false;
  /** When the cloud accepted an unassign that has not been seen yet, by operation. */
  private readonly answeredMs = new Map<string, number>();
  /** Changes with every change of an ENI by us, so that an observation made meanwhile is not compared. */
  private readonly epochs = new Map<string, number>();

  constructor(ledger: Ledger, quarantine: Quarantine, config: PoolConfig) {
    this.ledger = ledger;
    this.quarantine = quarantine;
    this.config = config;
    for (const operation of ledger.operations.values()) this.running.set(operation.id, operation);
  }

  /** Whole ENIs are given: as configured, but while leases live it stays as it was for them. */
  get exclusive(): boolean {
    const [lease] = this.ledger.leases.values();
    if (lease) return lease.exclusive === true;
    return this.reserved.size > 0 ? this.reservedWhole : this.config.exclusive;
  }

  /** Places for allocations on each ENI. */
  get perEni(): { readonly ipv4: number; readonly ipv6: number } {
    const { ipv4PerEni, ipv6PerEni } = this.config;
    return this.exclusive ? { ipv4: Math.min(1, ipv4PerEni), ipv6: Math.min(1, ipv6PerEni) } : { ipv4: ipv4PerEni, ipv6: ipv6PerEni };
  }

  /** ENIs that may be beside the primary one, as things are: a trunk takes the slot that is kept for it, and none of ours. */
  get maxEnis(): number {
    const { maxEnis, trunkEnis = 0 } = this.config;
    return maxEnis + Math.min(trunkEnis, this.foreign.filter(({ type }) => type === "Trunk").length);
  }

  /** The most allocations the slots could ever hold. */
  get capacity(): number {
    const { ipv4, ipv6 } = this.config;
    const places = Math.min(ipv4 ? this.perEni.ipv4 : Number.POSITIVE_INFINITY, ipv6 ? this.perEni.ipv6 : Number.POSITIVE_INFINITY);
    return Number.isFinite(places) ? places * Math.max(0, this.maxEnis - this.foreign.length) : 0;
  }

  /** Allocations that the pool shall once have had, as far as the slots allow; 0 when it has, or need not. */
  get warmUpTarget(): number {
    return this.ledger.warmedUp ? 0 : Math.min(this.config.warmUpSize, this.capacity);
  }

  epochOf(eniId: string): number {
    return this.epochs.get(eniId) ?? 0;
  }

  touch(eniId: string): void {
    this.epochs.set(eniId, this.epochOf(eniId) + 1);
  }

  /** The ENI is gone for good. */
  forget(eniId: string): void {
    this.confirmed.delete(eniId);
    this.securityGroups.delete(eniId);
    this.epochs.delete(eniId);
    for (const operation of this.operationsOn(eniId)) if (operation.kind === "unassign") this.running.delete(operation.id);
  }

  operationsOn(eniId: string): Operation[] {
    return [...this.running.values()].filter((operation) => operation.kind !== "create" && operation.eniId === eniId);
  }

  /** An address, or an ENI as a whole: held by a lease, about to be, or seen in use in the kernel. */
  isInUse(name: string): boolean {
    return this.ledger.holders.has(name) || this.reserved.has(name) || this.occupied.has(name);
  }

  /** A lease or the kernel uses it or one of its addresses. */
  isHeld(eniId: string): boolean {
    const eni = this.ledger.enis.get(eniId);
    return this.isInUse(eniId) || (eni !== undefined && [...eni.ipv4, ...eni.ipv6].some((address) => this.isInUse(address)));
  }

  /** Nothing on it is used or rests (I4): it may be detached. */
  isIdle(eni: KnownEni): boolean {
    return [eni.id, ...eni.ipv4, ...eni.ipv6].every((name) => !this.isInUse(name) && this.restRemainingMs(name) === 0);
  }

  restRemainingMs(name: string): number {
    const rest = this.ledger.resting.get(name);
    return rest ? this.quarantine.remainingMs(rest, this.config.coolDownMs) : 0;
  }

  /** `rested`: as if its rest were over. */
  stateOf(eni: KnownEni, address: string, operations = this.operationsOn(eni.id), rested = false): PlanAddressState {
    if (this.isInUse(address) || this.isInUse(eni.id)) return "used";
    const leaving = operations.some((o) => o.kind === "remove" || (o.kind === "unassign" && o.addresses.includes(address)));
    if (leaving) return "leaving";
    if (!rested && (this.restRemainingMs(address) > 0 || this.restRemainingMs(eni.id) > 0)) return "resting";
    if (eni.status !== "InUse") return "arriving";
    const seen = this.confirmed.has(eni.id) || this.trustJournal;
    // Without its vSwitch's CIDR nobody knows the address's prefix and gateway.
    if (!seen || this.suspects.has(eni.id) || !this.ledger.vSwitches.has(eni.vSwitchId)) return "withheld";
    return this.suspects.has(address) ? "missing" : "free";
  }

  /**
   * Chooses an allocation and reserves its addresses: by ENI as the policy says, within it the address released longest ago; of whole ENIs the one
   * released longest ago.
   */
  take(): Allocation | undefined {
    const { exclusive } = this;
    this.reservedWhole = exclusive;
    let best: { eni: KnownEni; used: number; ipv4: string | undefined; ipv6: string | undefined } | undefined;
    for (const eni of this.ledger.enis.values()) {
      const free = this.freeOn(eni);
      const ipv4 = this.config.ipv4 ? free.ipv4[0] : undefined;
      const ipv6 = this.config.ipv6 ? free.ipv6[0] : undefined;
      if ((this.config.ipv4 && ipv4 === undefined) || (this.config.ipv6 && ipv6 === undefined) || (ipv4 ?? ipv6) === undefined) continue;
      const fuller = !best || (this.config.eniPolicy === "most_ips" ? free.used > best.used : free.used < best.used);
      if (exclusive ? !best || this.releaseOrder(eni.id) < this.releaseOrder(best.eni.id) : fuller)
        best = { eni, used: free.used, ipv4, ipv6 };
    }
    return best && this.reserve(best.eni, best.ipv4, best.ipv6);
  }

  /** What is kept for this pod from its last sandbox, in as far as nothing but its rest stands in the way. */
  takeKept(pod: string): Allocation | undefined {
    const { exclusive } = this;
    this.reservedWhole = exclusive;
    const isKept = (name: string) => this.quarantine.isKeptFor(this.ledger.resting.get(name), pod);
    for (const eni of this.ledger.enis.values()) {
      if (eni.type !== "Secondary" || (exclusive && (this.isStale(eni) || !isKept(eni.id) || this.isHeld(eni.id)))) continue;
      const operations = this.operationsOn(eni.id);
      const find = (addresses: readonly string[], wanted: boolean) =>
        wanted ? addresses.find((address) => isKept(address) && this.stateOf(eni, address, operations, true) === "free") : undefined;
      const [ipv4, ipv6] = [find(eni.ipv4, this.config.ipv4), find(eni.ipv6, this.config.ipv6)];
      if ((this.config.ipv4 && ipv4 === undefined) || (this.config.ipv6 && ipv6 === undefined)) continue;
      return this.reserve(eni, ipv4, ipv6);
    }
    return undefined;
  }

  /** These addresses, if they are on one ENI of ours, no lease holds them, and nothing is about to take them away. */
  takeExact({ ipv4, ipv6, taken = false }: ExactAddresses): Allocation | undefined {
    const wanted = [ipv4, ipv6].filter((address) => address !== undefined);
    if (wanted.length === 0 || this.exclusive) return undefined;
    for (const eni of this.ledger.enis.values()) {
      if (!wanted.every((address) => eni.ipv4.includes(address) || eni.ipv6.includes(address))) continue;
      const operations = this.operationsOn(eni.id);
      const isFree = (address: string) => {
        const seenInUse = this.occupied.has(address) && taken;
        if (seenInUse) this.occupied.delete(address);
        const state = this.stateOf(eni, address, operations, true);
        if (seenInUse) this.occupied.add(address);
        return state === "free";
      };
      if (!wanted.every(isFree)) return undefined;
      this.reservedWhole = false;
      for (const address of wanted) this.occupied.delete(address);
      return this.reserve(eni, ipv4, ipv6);
    }
    return undefined;
  }

  /** Whether anything is kept for it, usable or not. */
  keepsFor(pod: string): boolean {
    for (const rest of this.ledger.resting.values()) if (this.quarantine.isKeptFor(rest, pod)) return true;
    return false;
  }

  private reserve(eni: KnownEni, address4: string | undefined, address6: string | undefined): Allocation {
    const { exclusive } = this;
    const vSwitch = this.ledger.vSwitches.get(eni.vSwitchId);
    const ipv4 = familyAddress(address4, vSwitch?.cidr);
    const ipv6 = familyAddress(address6, vSwitch?.ipv6Cidr);
    if (ipv4) this.reserved.add(ipv4.address);
    if (ipv6) this.reserved.add(ipv6.address);
    if (exclusive) this.reserved.add(eni.id);
    return { eniId: eni.id, eniMac: eni.mac, ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }), ...(exclusive && { exclusive }) };
  }

  /** Its lease is in the ledger, or will not be. */
  unreserve(allocation: Allocation): void {
    if (allocation.ipv4) this.reserved.delete(allocation.ipv4.address);
    if (allocation.ipv6) this.reserved.delete(allocation.ipv6.address);
    if (allocation.exclusive) this.reserved.delete(allocation.eniId);
  }

  /** Allocations that could be taken now. */
  get free(): number {
    let count = 0;
    for (const eni of this.ledger.enis.values()) {
      const free = this.freeOn(eni);
      const counts = [...(this.config.ipv4 ? [free.ipv4.length] : []), ...(this.config.ipv6 ? [free.ipv6.length] : [])];
      count += counts.length > 0 ? Math.min(...counts) : 0;
    }
    return count;
  }

  /** Rests that will be over, as milliseconds from now, soonest first. */
  restsMs(): number[] {
    const rests: number[] = [];
    for (const eni of this.ledger.enis.values()) {
      if (eni.status !== "InUse" || this.isInUse(eni.id) || this.isStale(eni)) continue;
      for (const address of this.config.ipv4 ? eni.ipv4 : eni.ipv6) {
        const remainingMs = Math.max(this.restRemainingMs(address), this.restRemainingMs(eni.id));
        if (remainingMs > 0 && !this.isInUse(address)) rests.push(remainingMs);
      }
    }
    return rests.sort((a, b) => a - b);
  }

  /** Everything that takes a slot of the instance, as the planner sees it. */
  planEnis(refusals: { mayGrow(eni: KnownEni): boolean; mayShrink(eni: KnownEni): boolean }): PlanEni[] {
    const enis: PlanEni[] = [];
    for (const eni of this.ledger.enis.values()) enis.push(this.planEni(eni, refusals));
    for (const operation of this.running.values()) {
      if (operation.kind !== "create") continue;
      enis.push({
        ...nothing,
        id: operation.id,
        phase: "coming",
        vSwitchId: operation.vSwitchId,
        arrivingIpv4: 1 + operation.secondaryIpv4Count,
        arrivingIpv6: operation.ipv6Count,
        mayGrow: true,
      });
    }
    for (const eni of this.foreign) enis.push({ ...nothing, id: eni.id, ours: false, phase: "inUse", vSwitchId: eni.vSwitchId });
    return enis;
  }

  private planEni(eni: KnownEni, refusals: { mayGrow(eni: KnownEni): boolean; mayShrink(eni: KnownEni): boolean }): PlanEni {
    const operations = this.operationsOn(eni.id);
    const address = (text: string): PlanAddress => {
      const rest = this.ledger.resting.get(text);
      return { address: text, state: this.stateOf(eni, text, operations), ...(rest && { releasedOrder: rest.order }) };
    };
    const arriving = (family: Family) => {
      let count = 0;
      for (const operation of operations) if (operation.kind === "assign" && operation.family === family) count += operation.count;
      return count;
    };
    return {
      id: eni.id,
      ours: true,
      phase: phaseOf(eni, operations),
      vSwitchId: eni.vSwitchId,
      primaryIpv4: eni.primaryIpv4,
      ipv4: eni.ipv4.map(address),
      ipv6: eni.ipv6.map(address),
      arrivingIpv4: arriving("ipv4"),
      arrivingIpv6: arriving("ipv6"),
      stale: this.isStale(eni),
      busy: operations.some(
        (operation) => operation.kind === "assign" || (operation.kind === "unassign" && !this.isAnswered(eni, operation)),
      ),
      mayGrow: refusals.mayGrow(eni) && !this.suspects.has(eni.id) && (this.confirmed.has(eni.id) || eni.status !== "InUse"),
      // One that was never attached has not been seen among the attached ones.
      mayShrink:
        refusals.mayShrink(eni) &&
        !this.isInUse(eni.id) &&
        !this.suspects.has(eni.id) &&
        (this.confirmed.has(eni.id) || eni.status === "Available"),
    };
  }

  /** The cloud has taken the addresses away; the intent stays open until an observation shows it too, so that a late one cannot bring them back. */
  isAnswered(eni: KnownEni, operation: Operation & { kind: "unassign" }): boolean {
    const list = operation.family === "ipv4" ? eni.ipv4 : eni.ipv6;
    return operation.addresses.every((address) => !list.includes(address));
  }

  answered(operation: Operation, atMs: number): void {
    this.answeredMs.set(operation.id, atMs);
    if (this.answeredMs.size > 1_000) for (const id of this.answeredMs.keys()) if (!this.running.has(id)) this.answeredMs.delete(id);
  }

  /** When the cloud accepted the unassign; undefined while it has not, as far as this process knows. */
  answeredAtMs(operationId: string): number | undefined {
    return this.answeredMs.get(operationId);
  }

  /**
   * A whole ENI is given only as a new one would be made: in a vSwitch of the configuration, with its security groups, and with no address beside its
   * own. One that differs is replaced when nobody uses it. Without vSwitches the bounds are not known yet, and nothing can be said.
   */
  private isStale(eni: KnownEni): boolean {
    if (!this.exclusive || this.config.vSwitchIds.length === 0) return false;
    const { vSwitchIds, securityGroupIds, ipv6 } = this.config;
    const groups = this.securityGroups.get(eni.id) ?? securityGroupIds;
    const sameGroups = groups.length === securityGroupIds.length && groups.every((id) => securityGroupIds.includes(id));
    return !vSwitchIds.includes(eni.vSwitchId) || !sameGroups || eni.ipv4.length !== 1 || eni.ipv6.length > (ipv6 ? 1 : 0);
  }

  /** Larger is later; what was never released comes first. */
  private releaseOrder(name: string): number {
    return this.ledger.resting.get(name)?.order ?? -1;
  }

  private freeOn(eni: KnownEni): { ipv4: string[]; ipv6: string[]; used: number } {
    if (eni.status !== "InUse" || eni.type !== "Secondary") return { ipv4: [], ipv6: [], used: 0 };
    const operations = this.operationsOn(eni.id);
    const isFree = (address: string) => this.stateOf(eni, address, operations) === "free";
    if (this.exclusive && (this.isStale(eni) || ![...eni.ipv4, ...eni.ipv6].every(isFree))) return { ipv4: [], ipv6: [], used: 0 };
    const vSwitch = this.ledger.vSwitches.get(eni.vSwitchId);
    let used = 0;
    const freeIn = (addresses: readonly string[], cidr: string | undefined) => {
      const free = addresses.filter((address) => {
        const state = this.stateOf(eni, address, operations);
        if (state === "used") used += 1;
        return state === "free" && cidr !== undefined;
      });
      return free.sort((a, b) => this.releaseOrder(a) - this.releaseOrder(b));
    };
    return { ipv4: freeIn(eni.ipv4, vSwitch?.cidr), ipv6: freeIn(eni.ipv6, vSwitch?.ipv6Cidr), used };
  }
}

const nothing = {
  ours: true,
  stale: false,
  ipv4: [],
  ipv6: [],
  arrivingIpv4: 0,
  arrivingIpv6: 0,
  busy: false,
  mayGrow: false,
  mayShrink: false,
} as const;

function phaseOf(eni: KnownEni, operations: readonly Operation[]): PlanEni["phase"] {
  if (operations.some((operation) => operation.kind === "remove")) return "leaving";
  if (operations.some((operation) => operation.kind === "attach")) return "coming";
  if (eni.status === "InUse") return "inUse";
  if (eni.status === "Available") return "unattached";
  return eni.status === "Attaching" || eni.status === "Creating" ? "coming" : "leaving";
}

function familyAddress(address: string | undefined, cidr: string | undefined): FamilyAddress | undefined {
  if (address === undefined || cidr === undefined) return undefined;
  const prefixLength = prefixLengthOf(cidr);
  const gateway = gatewayOf(cidr);
  return prefixLength === undefined || gateway === undefined ? undefined : { address, prefixLength, gateway };
}
