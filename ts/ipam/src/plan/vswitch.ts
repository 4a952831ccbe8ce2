import type { PlanInput, PlanVSwitch } from "./model.ts";

/** Those in which a new ENI may be created now. The cloud's count is a hint only (alicloud-api F07), so a count of 0 does not exclude one by itself. */
export function usableVSwitches(input: PlanInput): readonly PlanVSwitch[] {
  return input.vSwitches.filter((vSwitch) => vSwitch.usable);
}

/** `ordered`: the first; `random`: any, evenly; `most`: the one with the most free addresses, the first among equals. Undefined when none is usable. */
export function chooseVSwitch(input: PlanInput): string | undefined {
  const candidates = usableVSwitches(input);
  switch (input.policy.vSwitchPolicy) {
    case "ordered":
      return candidates[0]?.id;
    case "random":
      return candidates[Math.floor(input.chance() * candidates.length)]?.id;
    case "most": {
      let best = candidates[0];
      for (const candidate of candidates) if ((candidate.availableIpv4 ?? 0) > (best?.availableIpv4 ?? 0)) best = candidate;
      return best?.id;
    }
  }
}
