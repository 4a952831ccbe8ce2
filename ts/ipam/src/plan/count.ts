import type { Family, PlanAddress, PlanAddressState, PlanEni, PlanInput } from "./model.ts";

/** The families an allocation takes. */
export function wantedFamilies(policy: { ipv4: boolean; ipv6: boolean }): Family[] {
  const families: Family[] = [];
  if (policy.ipv4) families.push("ipv4");
  if (policy.ipv6) families.push("ipv6");
  return families;
}

export function addressesIn(eni: PlanEni, family: Family): readonly PlanAddress[] {
  return family === "ipv4" ? eni.ipv4 : eni.ipv6;
}

export function countIn(eni: PlanEni, family: Family, ...states: readonly PlanAddressState[]): number {
  let count = 0;
  for (const address of addressesIn(eni, family)) if (states.includes(address.state)) count += 1;
  return count;
}

function arriving(eni: PlanEni, family: Family): number {
  return family === "ipv4" ? eni.arrivingIpv4 : eni.arrivingIpv6;
}

/** Addresses of the family on this ENI that are free or will be without anything more being asked for. */
export function supply(eni: PlanEni, family: Family): number {
  if (!eni.ours || eni.stale || eni.phase === "leaving" || eni.phase === "unattached") return 0;
  return countIn(eni, family, "free", "arriving", "withheld", "missing") + arriving(eni, family);
}

/** Of the supply, what the cloud does not deny: nobody who waits is put off with an address that is perhaps gone. */
export function firmSupply(eni: PlanEni, family: Family): number {
  return Math.max(0, supply(eni, family) - countIn(eni, family, "missing"));
}

/** Of the family, what is idle: the supply and what rests on the way back to it. */
export function idle(eni: PlanEni, family: Family): number {
  return supply(eni, family) + (eni.ours && !eni.stale && eni.phase === "inUse" ? countIn(eni, family, "resting") : 0);
}

/** Allocations of ours that exist or are on their way: used, idle and coming. */
export function allocated(input: PlanInput): number {
  const families = wantedFamilies(input.policy);
  const used = (eni: PlanEni) => leastOf(families, (family) => countIn(eni, family, "used"));
  return input.enis.reduce((sum, eni) => sum + (eni.ours ? used(eni) + leastOf(families, (family) => idle(eni, family)) : 0), 0);
}

/** The most idle allocations that are kept: for who will ask soon, and while the pool warms up, whatever it takes to have as many as it shall. */
export function idleCeiling({ enis, policy, ahead = 0 }: PlanInput): number {
  const used = enis.reduce(
    (sum, eni) => sum + (eni.ours ? leastOf(wantedFamilies(policy), (family) => countIn(eni, family, "used")) : 0),
    0,
  );
  return Math.max(policy.minIdle, policy.maxIdle, policy.warmUp - used) + ahead;
}

/**
 * What is left of the idle allocations when there are more than the ceiling: somewhat less, so that not every further one is a call of its own, and never
 * so little that what was given back is asked for again.
 */
export function drainTarget(input: PlanInput): number {
  const { minIdle, maxIdle, drainIdle = maxIdle, refillIdle = minIdle } = input.policy;
  return Math.max(0, idleCeiling(input) - Math.max(0, maxIdle - Math.max(minIdle, drainIdle, refillIdle)));
}

/** Places of the family that the cloud counts as taken. */
export function taken(eni: PlanEni, family: Family): number {
  return addressesIn(eni, family).length + arriving(eni, family);
}

/** Over the wanted families, the smallest: what allocations can be made of. */
export function leastOf(families: readonly Family[], count: (family: Family) => number): number {
  let least: number | undefined;
  for (const family of families) {
    const value = count(family);
    if (least === undefined || value < least) least = value;
  }
  return least ?? 0;
}

export function perEniLimit(input: PlanInput, family: Family): number {
  return family === "ipv4" ? input.limits.ipv4PerEni : input.limits.ipv6PerEni;
}

/** The most allocations one ENI can serve. An IPv4 address is always there: the primary one. */
export function allocationsPerEni(input: PlanInput): number {
  return leastOf(wantedFamilies(input.policy), (family) => perEniLimit(input, family));
}

/** Allocations that the ENI could serve beyond its supply if it grew to its limits. */
export function room(input: PlanInput, eni: PlanEni): number {
  if (!eni.ours || eni.stale || !eni.mayGrow || (eni.phase !== "inUse" && eni.phase !== "coming")) return 0;
  const families = wantedFamilies(input.policy);
  const reachable = leastOf(families, (family) => supply(eni, family) + Math.max(0, perEniLimit(input, family) - taken(eni, family)));
  return Math.max(0, reachable - leastOf(families, (family) => supply(eni, family)));
}

/** ENIs of ours that are not attached and for which the instance has a slot. */
export function attachable(input: PlanInput): PlanEni[] {
  const attached = input.enis.filter((eni) => eni.phase !== "unattached").length;
  return input.enis
    .filter((eni) => eni.ours && !eni.stale && eni.phase === "unattached")
    .slice(0, Math.max(0, input.limits.maxEnis - attached));
}
