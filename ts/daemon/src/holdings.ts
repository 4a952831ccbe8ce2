import type { AddressPool, Lease } from "@terway/model";
import type { GivenLeases } from "./given-leases.ts";

/** Everything that sandboxes of this node hold: leases of the pool, and what the control plane gave to single pods. The verbs know no difference. */
export interface Holdings extends AddressPool {
  /** Holds what was given, durably, as an intent. */
  take(owner: string, lease: Lease): Promise<void>;
  /** Whether this interface holds what was given, so that it must not take an address of the pool. */
  isGiven(id: string): boolean;
  /** The interface by which the runtime knows this one; itself, but for further interfaces of a pod that one ADD made. */
  ownerOf(id: string): string;
  /** Further interfaces that go with this one. */
  companions(id: string): readonly string[];
  /** Larger than that of any lease held now. */
  nextGeneration(): number;
}

/** `pool` is asked at every use: it opens later than the daemon does. */
export function openHoldings(pool: () => AddressPool, given: GivenLeases): Holdings {
  const leases = () => [...pool().leases(), ...given.leases()];
  return {
    allocate: (sandbox, options) => pool().allocate(sandbox, options),
    bound: async (id) => {
      if ((await given.mark(id, "bound")) === undefined) await pool().bound(id);
    },
    beginRelease: async (id) => (await given.mark(id, "releasing")) ?? pool().beginRelease(id),
    finishRelease: (id) => (given.lease(id) === undefined ? pool().finishRelease(id) : given.remove(id)),
    lease: (id) => given.lease(id) ?? pool().lease(id),
    leases,
    securityGroups: (eniId) => pool().securityGroups(eniId),
    view: () => {
      const view = pool().view();
      return { ...view, leases: [...view.leases, ...given.leases()] };
    },
    expect: (pods) => pool().expect(pods),
    warm: (signal) => pool().warm(signal),
    sync: () => pool().sync(),
    reconfigure: (config) => pool().reconfigure(config),
    close: () => pool().close(),
    take: (owner, lease) => given.put(owner, lease),
    isGiven: (id) => given.lease(id) !== undefined,
    ownerOf: (id) => given.owner(id) ?? id,
    companions: (id) => given.leases().flatMap((lease) => (lease.id !== id && given.owner(lease.id) === id ? [lease.id] : [])),
    nextGeneration: () => 1 + leases().reduce((most, lease) => Math.max(most, lease.generation), 0),
  };
}
