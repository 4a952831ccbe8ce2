import { allocationsPerEni, attachable, leastOf, room, supply, wantedFamilies } from "./count.ts";
import { grow } from "./grow.ts";
import type { Plan, PlanInput } from "./model.ts";
import { removeSurplus, shrink } from "./shrink.ts";
import { usableVSwitches } from "./vswitch.ts";

/**
 * What to do so that everybody who waits is served and the idle stock is within its bounds. Pure: the same input (and chance) gives the same plan.
 * Supply on its way counts, so that calling it again while its own actions run asks for nothing twice.
 *
 * Growth serves waiting allocations without regard to `maxIdle`, and tops up to `minIdle` only as far as resting addresses leave place below
 * `maxIdle`: those come back by themselves, and what would be assigned in their place would be released again (two calls for nothing).
 * Nothing is released while anybody waits.
 */
export function plan(input: PlanInput): Plan {
  const families = wantedFamilies(input.policy);
  if (families.length === 0) return { actions: [], reach: 0 };
  const supplied = sum(input, (eni) => leastOf(families, (family) => supply(eni, family)));
  const resting = sum(input, (eni) => leastOf(families, (family) => restingOf(eni, family)));
  const idleCeiling = Math.max(input.policy.minIdle, input.policy.maxIdle);
  const topUp = Math.min(input.policy.minIdle, Math.max(0, idleCeiling - resting));
  const need = Math.max(0, input.waiting + topUp - supplied);
  const growth = grow(input, need);
  const keeping = growth.actions.length > 0 || input.waiting > 0 || need > 0;
  return { actions: keeping ? [...growth.actions, ...removeSurplus(input)] : shrink(input), reach: reach(input) };
}

function restingOf(eni: PlanInput["enis"][number], family: "ipv4" | "ipv6"): number {
  let count = 0;
  for (const address of family === "ipv4" ? eni.ipv4 : eni.ipv6) if (address.state === "resting") count += 1;
  return count;
}

function reach(input: PlanInput): number {
  const families = wantedFamilies(input.policy);
  const onTheWay = sum(
    input,
    (eni) => leastOf(families, (family) => supply(eni, family)) - leastOf(families, (family) => freeOf(eni, family)),
  );
  const onExisting = sum(input, (eni) => (growable(input, eni.vSwitchId) ? room(input, eni) : 0));
  const slots = input.mayCreate && usableVSwitches(input).length > 0 ? Math.max(0, input.limits.maxEnis - input.enis.length) : 0;
  // One of ours that was left unattached takes a slot and can be attached.
  const unattached = attachable(input).filter((eni) => eni.mayGrow).length;
  return onTheWay + onExisting + (slots + unattached) * allocationsPerEni(input);
}

function freeOf(eni: PlanInput["enis"][number], family: "ipv4" | "ipv6"): number {
  let count = 0;
  if (eni.phase !== "inUse") return 0;
  for (const address of family === "ipv4" ? eni.ipv4 : eni.ipv6) if (address.state === "free") count += 1;
  return count;
}

/** An ENI can grow while its vSwitch does not rest. A vSwitch that is no longer configured still serves the ENIs it has. */
function growable(input: PlanInput, vSwitchId: string): boolean {
  return input.vSwitches.find((vSwitch) => vSwitch.id === vSwitchId)?.usable ?? true;
}

function sum(input: PlanInput, value: (eni: PlanInput["enis"][number]) => number): number {
  let total = 0;
  for (const eni of input.enis) if (eni.ours) total += value(eni);
  return total;
}
