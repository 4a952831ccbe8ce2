import { addressesIn, allocationsPerEni, attachable, countIn, leastOf, perEniLimit, room, supply, taken, wantedFamilies } from "./count.ts";
import type { PlanAction, PlanEni, PlanInput } from "./model.ts";
import { chooseVSwitch } from "./vswitch.ts";

/** Actions that give `need` more allocations, as far as limits and refusals let them; the same ones may give up to `refill`. */
export function grow(input: PlanInput, need: number, refill = need): { actions: PlanAction[] } {
  const actions: PlanAction[] = [];
  let left = need;
  let welcome = Math.max(need, refill);
  for (const eni of byPreference(input)) {
    if (left <= 0) break;
    const places = room(input, eni);
    const gain = Math.min(welcome, places);
    // What an ENI has place for is not asked for elsewhere, even when its turn comes only after the call that runs on it now: an ENI more costs
    // the instance a slot and takes longer than the wait.
    left -= Math.min(left, places);
    welcome -= gain;
    if (gain > 0 && eni.phase === "inUse" && !eni.busy) actions.push(...assign(input, eni, gain));
  }
  for (const eni of attachable(input)) {
    if (left <= 0) break;
    if (eni.mayGrow) actions.push({ kind: "attachEni", eniId: eni.id });
    left -= eni.mayGrow ? allocationsPerEni(input) : 0;
    welcome -= eni.mayGrow ? allocationsPerEni(input) : 0;
  }
  let slots = Math.min(input.createSlots, input.mayCreate ? input.limits.maxEnis - input.enis.length : 0);
  for (; left > 0 && slots > 0; slots -= 1) {
    const vSwitchId = chooseVSwitch(input);
    if (vSwitchId === undefined) break;
    const count = Math.min(welcome, allocationsPerEni(input), input.limits.batch);
    if (count <= 0) break;
    // The primary address comes with the ENI and is given to pods like any other (Terway counts it in IPv4PerAdapter as well).
    actions.push({
      kind: "createEni",
      vSwitchId,
      secondaryIpv4Count: input.policy.ipv4 ? count - 1 : 0,
      ipv6Count: input.policy.ipv6 ? count : 0,
    });
    left -= allocationsPerEni(input);
    welcome -= allocationsPerEni(input);
  }
  return { actions };
}

/**
 * At most one call for each family: the cloud takes one assign on an ENI at a time, so the second family of a pair runs after the first. An address
 * left without a partner (one family assigned, the other refused) is completed before new ones are asked for.
 */
function assign(input: PlanInput, eni: PlanEni, gain: number): PlanAction[] {
  const families = wantedFamilies(input.policy);
  const target = leastOf(families, (family) => supply(eni, family)) + Math.min(gain, input.limits.batch);
  const actions: PlanAction[] = [];
  for (const family of families) {
    const count = Math.min(target - supply(eni, family), perEniLimit(input, family) - taken(eni, family), input.limits.batch);
    if (count > 0) actions.push({ kind: "assign", eniId: eni.id, family, count });
  }
  return actions;
}

/** ENIs that may grow, in the order in which they shall: fullest first (`most_ips`) keeps others empty, so that whole ENIs can be given back. */
function byPreference(input: PlanInput): PlanEni[] {
  const resting = new Set(input.vSwitches.filter((vSwitch) => !vSwitch.usable).map((vSwitch) => vSwitch.id));
  const sign = input.policy.eniPolicy === "most_ips" ? -1 : 1;
  return input.enis
    .filter((eni) => eni.ours && !resting.has(eni.vSwitchId))
    .map((eni, index) => ({
      eni,
      index,
      size: addressesIn(eni, "ipv4").length + addressesIn(eni, "ipv6").length,
      used: countIn(eni, "ipv4", "used"),
    }))
    .sort((a, b) => sign * (a.used - b.used) || sign * (a.size - b.size) || a.index - b.index)
    .map(({ eni }) => eni);
}
