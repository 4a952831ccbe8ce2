import {
  allocated,
  allocationsPerEni,
  attachable,
  countIn,
  firmSupply,
  idle,
  idleCeiling,
  leastOf,
  room,
  supply,
  wantedFamilies,
} from "./count.ts";
import { grow } from "./grow.ts";
import type { Family, Plan, PlanEni, PlanInput } from "./model.ts";
import { isReplaceable, removeSurplus, shrink } from "./shrink.ts";
import { usableVSwitches } from "./vswitch.ts";

/**
 * What to do so that everybody who waits is served and the idle stock is within its bounds. Pure: the same input (and chance) gives the same plan.
 * Supply on its way counts, so that calling it again while its own actions run asks for nothing twice.
 *
 * Growth serves waiting allocations, and those that will be asked for soon, without regard to `maxIdle`, and tops up to `minIdle` only as far as resting addresses leave place below
 * `maxIdle`: those come back by themselves, and what would be assigned in their place would be released again (two calls for nothing).
 * Nothing is released while anybody waits.
 */
export function plan(input: PlanInput): Plan {
  const families = wantedFamilies(input.policy);
  if (families.length === 0) return { actions: [], reach: 0, full: true };
  const supplied = sum(input, (eni) => leastOf(families, (family) => supply(eni, family)));
  const resting = sum(input, (eni) => leastOf(families, (family) => idle(eni, family))) - supplied;
  const { waiting, ahead = 0 } = input;
  const topUp = (stock: number) => Math.min(stock, Math.max(0, idleCeiling(input) - ahead - resting));
  const firm = sum(input, (eni) => leastOf(families, (family) => firmSupply(eni, family)));
  const { minIdle, refillIdle = minIdle, warmUp } = input.policy;
  const need = Math.max(0, waiting + ahead + topUp(minIdle) - supplied, waiting - firm, warmUp - allocated(input));
  const refill = need > 0 ? waiting + ahead + topUp(refillIdle) - supplied : 0;
  const growth = grow(input, need, refill);
  const keeping = growth.actions.length > 0 || waiting > 0 || need > 0;
  const actions = keeping ? [...growth.actions, ...removeSurplus(input)] : shrink(input);
  const reachable = reach(input);
  return { actions, reach: reachable, full: reachable === 0 && reach(withoutRefusals(input)) === 0 };
}

/** The same world in which nothing has been refused: what still cannot come then is the node's own limit. */
function withoutRefusals(input: PlanInput): PlanInput {
  const vSwitches = input.vSwitches.map((vSwitch) => ({ ...vSwitch, usable: true }));
  return { ...input, vSwitches, mayCreate: true, enis: input.enis.map((eni) => ({ ...eni, mayGrow: true })) };
}

function reach(input: PlanInput): number {
  const families = wantedFamilies(input.policy);
  const allocations = (count: (eni: PlanEni, family: Family) => number) =>
    sum(input, (eni) => leastOf(families, (family) => count(eni, family)));
  const onTheWay = allocations(supply) - allocations((eni, family) => (eni.stale ? 0 : countIn(eni, family, "free")));
  const onExisting = sum(input, (eni) => (growable(input, eni.vSwitchId) ? room(input, eni) : 0));
  const slots = input.mayCreate && usableVSwitches(input).length > 0 ? Math.max(0, input.limits.maxEnis - input.enis.length) : 0;
  // One of ours that was left unattached takes a slot and can be attached.
  const unattached = attachable(input).filter((eni) => eni.mayGrow).length;
  // What is being given back makes room when it is gone.
  const leaving = input.mayCreate ? input.enis.filter((eni) => eni.ours && (eni.phase === "leaving" || isReplaceable(eni))).length : 0;
  const leavingAddresses = sum(input, (eni) =>
    eni.phase === "inUse" && !eni.stale && eni.mayGrow ? countIn(eni, "ipv4", "leaving") + countIn(eni, "ipv6", "leaving") : 0,
  );
  return onTheWay + onExisting + leavingAddresses + (slots + unattached + leaving) * allocationsPerEni(input);
}

/** An ENI can grow while its vSwitch does not rest. A vSwitch that is no longer configured still serves the ENIs it has. */
function growable(input: PlanInput, vSwitchId: string): boolean {
  return input.vSwitches.find((vSwitch) => vSwitch.id === vSwitchId)?.usable ?? true;
}

function sum(input: PlanInput, value: (eni: PlanEni) => number): number {
  let total = 0;
  for (const eni of input.enis) if (eni.ours) total += value(eni);
  return total;
}
