import type { Clock, Cloud, Eni, InstanceLimits } from "@terway/model";
import type { VSwitches } from "../runtime/v-switches.ts";

/** Questions of so long are one call; who asks waits for an attachment that takes seconds. */
const windowMs = 200;

/**
 * The cloud for thousands of nodes: what several of them ask is asked once. ENIs by their ids in calls of many, the limits of an instance type once in the
 * process's life, vSwitches from the memory that all controllers share.
 */
export function sharedReads(cloud: Cloud, clock: Clock, vSwitches: Pick<VSwitches, "read">): Cloud {
  const limits = new Map<string, Promise<InstanceLimits>>();
  let waiting: { readonly ids: Set<string>; readonly answer: Promise<readonly Eni[]> } | undefined;
  const ask = async (ids: Set<string>) => {
    await clock.sleep(windowMs);
    waiting = undefined;
    return cloud.describeEnis({ eniIds: [...ids] });
  };
  return {
    ...cloud,
    describeVSwitches: (ids) => vSwitches.read(ids),
    describeInstanceType(type) {
      const known = limits.get(type) ?? cloud.describeInstanceType(type);
      limits.set(type, known);
      known.catch(() => limits.delete(type));
      return known;
    },
    async describeEnis(filter, signal) {
      const { eniIds, ...others } = filter;
      if (eniIds === undefined || Object.values(others).some((value) => value !== undefined)) return cloud.describeEnis(filter, signal);
      if (waiting === undefined) {
        const ids = new Set<string>();
        waiting = { ids, answer: ask(ids) };
      }
      for (const id of eniIds) waiting.ids.add(id);
      return (await waiting.answer).filter(({ id }) => eniIds.includes(id));
    },
  };
}
