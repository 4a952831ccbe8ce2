import { addressesIn, attachable, countIn, drainTarget, idle, idleCeiling, leastOf, supply, wantedFamilies } from "./count.ts";
import type { Family, PlanAction, PlanAddress, PlanEni, PlanInput } from "./model.ts";

/** ENIs of ours that serve nobody, whatever is wanted: not attached and without a slot of the instance, or not what a new one would be. */
export function removeSurplus(input: PlanInput): PlanAction[] {
  const keep = new Set(attachable(input).map((eni) => eni.id));
  const surplus = input.enis.filter((eni) => isReplaceable(eni) || (isLeftOver(eni) && !keep.has(eni.id)));
  return surplus.map((eni) => ({ kind: "removeEni", eniId: eni.id }));
}

/**
 * Gives back what is idle beyond `maxIdle`, never below `minIdle`: first whole ENIs on which nothing is used or rests, then single addresses, of one ENI
 * if it has enough, else of the emptiest first, and among them the ones idle for longest. What rests does not count yet: pods that come meanwhile make a
 * call needless, and what is left is one call. Never the primary ENI and never a foreign one (they are not in `ours`), never
 * an ENI's primary address (only with the whole ENI), never an address that rests (I9) or is used (I3, I4).
 */
export function shrink(input: PlanInput): PlanAction[] {
  const families = wantedFamilies(input.policy);
  const ceiling = idleCeiling(input);
  const actions: PlanAction[] = [];
  const gone = new Set<string>();

  for (const eni of input.enis) {
    if (isLeftOver(eni) || isReplaceable(eni)) {
      actions.push({ kind: "removeEni", eniId: eni.id });
      gone.add(eni.id);
    }
  }

  const stock = input.enis.reduce((sum, eni) => sum + leastOf(families, (family) => supply(eni, family)), 0);
  let excess = stock > ceiling ? stock - drainTarget(input) : 0;
  for (const eni of byRelease(input)) {
    if (gone.has(eni.id)) continue;
    const size = leastOf(families, (family) => supply(eni, family));
    if (size > excess || !isWhollyIdle(eni)) continue;
    // An ENI that serves no allocation (its vSwitch has no IPv6, say) goes only when the stock does not need what it may grow to.
    if (size === 0 && excess <= 0) continue;
    actions.push({ kind: "removeEni", eniId: eni.id });
    gone.add(eni.id);
    excess -= size;
  }

  const kept = byRelease(input).filter((eni) => !gone.has(eni.id) && !eni.busy);
  const released = new Map<string, number>();
  const release = (eni: PlanEni, family: Family, count: number) => {
    const key = `${eni.id} ${family}`;
    const done = released.get(key) ?? 0;
    const addresses = releasable(eni, family).slice(done, Math.min(done + count, input.limits.batch));
    if (addresses.length === 0) return;
    released.set(key, done + addresses.length);
    actions.push({ kind: "unassign", eniId: eni.id, family, addresses: addresses.map(({ address }) => address) });
  };

  // Addresses without a partner, now and when everything has rested, serve nobody: they go first, and no pair is broken for them.
  for (const family of families) {
    let surplus = idleAddresses(input, family, gone) - ceiling;
    for (const eni of kept) {
      const unpaired = Math.min(beyondLeast(eni, family, families, idle), beyondLeast(eni, family, families, supply));
      const count = Math.min(surplus, unpaired, releasable(eni, family).length);
      if (count <= 0) continue;
      release(eni, family, count);
      surplus -= count;
    }
  }
  const spare = (eni: PlanEni) =>
    Math.min(
      leastOf(families, (family) => releasable(eni, family).length - (released.get(`${eni.id} ${family}`) ?? 0)),
      leastOf(families, (family) => supply(eni, family)),
    );
  const enough = kept.find((eni) => spare(eni) >= excess);
  for (const eni of enough === undefined ? kept : [enough]) {
    const count = Math.min(excess, spare(eni));
    if (count <= 0) continue;
    for (const family of families) release(eni, family, count);
    excess -= count;
  }
  return merge(actions);
}

function beyondLeast(eni: PlanEni, family: Family, families: readonly Family[], count: (eni: PlanEni, family: Family) => number): number {
  return count(eni, family) - leastOf(families, (other) => count(eni, other));
}

/** One call for each ENI and family: the addresses of a second action join the first, up to the batch size that {@link shrink} kept to. */
function merge(actions: readonly PlanAction[]): PlanAction[] {
  const merged = new Map<string, PlanAction>();
  for (const action of actions) {
    const key = action.kind === "unassign" ? `${action.eniId} ${action.family}` : `${merged.size}`;
    const before = merged.get(key);
    if (before?.kind === "unassign" && action.kind === "unassign") {
      merged.set(key, { ...before, addresses: [...before.addresses, ...action.addresses] });
    } else {
      merged.set(key, action);
    }
  }
  return [...merged.values()];
}

function idleAddresses(input: PlanInput, family: Family, without: ReadonlySet<string>): number {
  return input.enis.reduce((sum, eni) => sum + (without.has(eni.id) ? 0 : idle(eni, family)), 0);
}

/** Of ours and not attached. One that was taken off the instance while pods used it waits until they are gone and their addresses have rested. */
function isLeftOver(eni: PlanEni): boolean {
  const held = countIn(eni, "ipv4", "used", "resting") + countIn(eni, "ipv6", "used", "resting");
  return eni.ours && eni.phase === "unattached" && eni.mayShrink && held === 0;
}

/** Stale, attached, and nobody's: its slot is wanted for one that serves. */
export function isReplaceable(eni: PlanEni): boolean {
  return eni.ours && eni.stale && eni.phase === "inUse" && eni.mayShrink && isWhollyIdle(eni);
}

function isWhollyIdle(eni: PlanEni): boolean {
  const free = (address: PlanAddress) => address.state === "free";
  return !eni.busy && eni.arrivingIpv4 === 0 && eni.arrivingIpv6 === 0 && eni.ipv4.every(free) && eni.ipv6.every(free);
}

function releasable(eni: PlanEni, family: Family): PlanAddress[] {
  return addressesIn(eni, family)
    .filter((address) => address.state === "free" && address.address !== eni.primaryIpv4)
    .sort((a, b) => (a.releasedOrder ?? -1) - (b.releasedOrder ?? -1));
}

/** Emptiest first: it is the nearest to being given back whole. */
function byRelease(input: PlanInput): PlanEni[] {
  return input.enis
    .filter((eni) => eni.ours && eni.phase === "inUse" && eni.mayShrink)
    .map((eni, index) => ({
      eni,
      index,
      used: countIn(eni, "ipv4", "used", "resting") + countIn(eni, "ipv6", "used", "resting"),
      size: eni.ipv4.length,
    }))
    .sort((a, b) => a.used - b.used || a.size - b.size || b.index - a.index)
    .map(({ eni }) => eni);
}
