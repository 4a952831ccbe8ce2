import type { Lease } from "@terway/model";
import type { ForeignRecord, JournalRecord, KnownEni, KnownVSwitch, Operation, Rest } from "./record.ts";
import { encodeCommit, encodeForeign, isForeign } from "./record.ts";

/** A rest with its place in the order of releases; the smaller one rests longer. */
export interface Resting extends Rest {
  readonly order: number;
}

/** What the journal says: the state that a replay of all durable records gives, nothing else. Changed by {@link Ledger.apply} only. */
export class Ledger {
  instanceId: string | undefined;
  generation = 0;
  /** The pool's first growth is over. */
  warmedUp = false;
  readonly leases = new Map<string, Lease>();
  /** Address, or id of an ENI that is held whole → id of the lease that holds it (I1: at most one). */
  readonly holders = new Map<string, string>();
  /** By address or ENI id, as in `holders`; an entry stays after its rest is over, until the address is leased again, for the order of reuse. */
  readonly resting = new Map<string, Resting>();
  readonly enis = new Map<string, KnownEni>();
  readonly vSwitches = new Map<string, KnownVSwitch>();
  readonly operations = new Map<string, Operation>();
  readonly foreign: ForeignRecord[] = [];
  private order = 0;

  apply(record: JournalRecord | ForeignRecord): void {
    if (isForeign(record)) {
      this.foreign.push(record);
      return;
    }
    switch (record.t) {
      case "node":
        this.instanceId = record.instanceId;
        this.generation = Math.max(this.generation, record.generation);
        return;
      case "lease":
        this.putLease(record.lease);
        return;
      case "bound":
      case "releasing": {
        const lease = this.leaseOf(record);
        // A lease on its way out is never bound again: the kernel may have lost it already.
        if (lease && lease.state !== "releasing") this.leases.set(lease.id, { ...lease, state: record.t });
        return;
      }
      case "released": {
        const lease = this.leaseOf(record);
        if (!lease) return;
        this.dropLease(lease);
        this.putToRest(holdingsOf(lease), record.rest);
        return;
      }
      case "rest":
        this.putToRest(record.addresses, record.rest);
        return;
      case "eni":
        this.takeFromOthers(record.eni.id, [...record.eni.ipv4, ...record.eni.ipv6]);
        this.enis.set(record.eni.id, record.eni);
        return;
      case "eni-status":
        this.changeEni(record.id, (eni) => ({ ...eni, status: record.status }));
        return;
      case "assigned":
        this.takeFromOthers(record.id, record.addresses);
        this.changeEni(record.id, (eni) => ({ ...eni, [record.family]: [...new Set([...eni[record.family], ...record.addresses])] }));
        return;
      case "unassigned":
        this.changeEni(record.id, (eni) => ({
          ...eni,
          [record.family]: eni[record.family].filter((address) => !record.addresses.includes(address)),
        }));
        return;
      case "eni-gone":
        this.enis.delete(record.id);
        // Nothing is left to be seen of what it had to give back.
        for (const operation of this.operations.values()) {
          if (operation.kind === "unassign" && operation.eniId === record.id) this.operations.delete(operation.id);
        }
        return;
      case "vswitch":
        this.vSwitches.set(record.vSwitch.id, record.vSwitch);
        return;
      case "begin":
        this.operations.set(record.operation.id, record.operation);
        return;
      case "end":
        this.operations.delete(record.id);
        return;
      case "warmed-up":
        this.warmedUp = true;
        return;
      default:
        // Every known type is handled: the compiler objects here when one is added and forgotten.
        record satisfies never;
    }
  }

  /** Forgets rests that no longer matter, so that the journal stays bounded. */
  prune(isOver: (rest: Rest) => boolean): void {
    for (const [address, rest] of this.resting) if (isOver(rest)) this.resting.delete(address);
  }

  /** Frames from which a replay gives this state again, foreign records included. */
  snapshot(): Uint8Array[] {
    const records: JournalRecord[] = [];
    if (this.instanceId !== undefined) records.push({ t: "node", instanceId: this.instanceId, generation: this.generation });
    if (this.warmedUp) records.push({ t: "warmed-up" });
    for (const vSwitch of this.vSwitches.values()) records.push({ t: "vswitch", vSwitch });
    for (const eni of this.enis.values()) records.push({ t: "eni", eni });
    for (const [address, { order: _, ...rest }] of this.resting) records.push({ t: "rest", addresses: [address], rest });
    for (const lease of this.leases.values()) records.push({ t: "lease", lease });
    for (const operation of this.operations.values()) records.push({ t: "begin", operation });
    return [...records.map((record) => encodeCommit([record])), ...this.foreign.map(encodeForeign)];
  }

  private changeEni(id: string, change: (eni: KnownEni) => KnownEni): void {
    const eni = this.enis.get(id);
    if (eni) this.enis.set(id, change(eni));
  }

  /** The cloud has an address on one ENI only: one that is now here has left wherever it was (an ENI that is being deleted, say). */
  private takeFromOthers(id: string, addresses: readonly string[]): void {
    for (const [otherId, other] of this.enis) {
      if (otherId === id || !addresses.some((address) => other.ipv4.includes(address) || other.ipv6.includes(address))) continue;
      const kept = (list: readonly string[]) => list.filter((address) => !addresses.includes(address));
      this.enis.set(otherId, { ...other, ipv4: kept(other.ipv4), ipv6: kept(other.ipv6) });
    }
  }

  private leaseOf(key: { id: string; generation: number }): Lease | undefined {
    const lease = this.leases.get(key.id);
    return lease?.generation === key.generation ? lease : undefined;
  }

  private putLease(lease: Lease): void {
    const before = this.leases.get(lease.id);
    if (before) this.dropLease(before);
    this.leases.set(lease.id, lease);
    this.generation = Math.max(this.generation, lease.generation);
    for (const name of holdingsOf(lease)) {
      this.holders.set(name, lease.id);
      this.resting.delete(name);
    }
  }

  private dropLease(lease: Lease): void {
    this.leases.delete(lease.id);
    for (const name of holdingsOf(lease)) if (this.holders.get(name) === lease.id) this.holders.delete(name);
  }

  private putToRest(addresses: readonly string[], rest: Rest): void {
    for (const address of addresses) {
      this.resting.delete(address);
      this.resting.set(address, { ...rest, order: this.order++ });
    }
  }
}

/** What no other lease may have while this one lives, by name: its addresses, and the ENI that it holds whole. */
function holdingsOf(lease: Pick<Lease, "ipv4" | "ipv6" | "eniId" | "exclusive">): string[] {
  return lease.exclusive ? [...addressesOf(lease), lease.eniId] : addressesOf(lease);
}

export function addressesOf(lease: Pick<Lease, "ipv4" | "ipv6">): string[] {
  const addresses: string[] = [];
  if (lease.ipv4) addresses.push(lease.ipv4.address);
  if (lease.ipv6) addresses.push(lease.ipv6.address);
  return addresses;
}
