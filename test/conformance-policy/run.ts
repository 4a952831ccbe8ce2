import type { Case } from "./cases/case.ts";
import type { Ground } from "./ground.ts";
import { type Judged, measure } from "./measure.ts";

export interface StepResult {
  readonly step: string;
  readonly probes: readonly Judged[];
}

export interface CaseResult {
  readonly group: string;
  readonly name: string;
  readonly steps: readonly StepResult[];
}

/** From the cluster without policies through the case's steps; everything is probed after each. */
export async function runCase(ground: Ground, { group, name, steps }: Case): Promise<CaseResult> {
  const results: StepResult[] = [];
  let cluster = ground.base;
  for (const { name: step, change } of steps) {
    cluster = change(cluster, ground.surroundings);
    await ground.settle(cluster);
    results.push({ step, probes: await measure(ground, cluster) });
  }
  return { group, name, steps: results };
}

export function mistakes({ steps }: CaseResult): { readonly step: string; readonly probe: Judged }[] {
  return steps.flatMap(({ step, probes }) => probes.filter(({ wrong }) => wrong !== undefined).map((probe) => ({ step, probe })));
}
