import type { Machine } from "../../bench/machine.ts";
import { percentile, sorted } from "../../bench/statistics.ts";
import type { ChaosOptions, ChaosOutcome } from "./run.ts";

export interface ChaosResult extends ChaosOutcome {
  readonly test: "chaos";
  readonly version: 1;
  readonly machine: Machine;
  readonly options: ChaosOptions & { readonly nodes: number };
}

export function markdown({ machine, options, kills, endedByThemselves, faults, pods, audit, recoveredMs, wrong }: ChaosResult): string {
  const at = (share: number) => (percentile(sorted(pods.runningMs), share) / 1000).toFixed(1);
  const struck = Object.entries(faults).toSorted(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  const met = struck.filter(([, counts]) => counts.struck > 0).map(([fault, counts]) => `${fault} ${counts.struck}`);
  const unmet = struck.filter(([, counts]) => counts.struck === 0).map(([fault]) => fault);
  return `# Centralized IPAM while everything fails

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, Linux ${machine.kernel}.

${options.pods} pods come and go on ${options.nodes} nodes for ${options.seconds} s, ${options.least} to ${options.most} at a time, while the two replicas of the control plane are killed at random
and the cloud fails in every way that touches its calls (seed ${options.seed}). Then all that is left must become Ready, API, Node objects, journals, kernels and cloud
must say the same, and nothing may be left when the pods are gone.

| | |
|---|---|
| replicas killed | ${kills} (${endedByThemselves} ended by themselves and were started again) |
| calls struck, by class | ${met.join(", ") || "none"} |
| classes that met no call | ${unmet.join(", ") || "none"} |
| created to Running, s | p50 ${at(0.5)}, p90 ${at(0.9)}, most ${at(1)} |
| deleted before they ran | ${pods.neverRan} of ${pods.created} |
| the auditor's looks | ${audit.looks}, at most ${audit.mostSandboxes} live sandboxes in one |
| all agreed after the last fault within, s | ${(recoveredMs / 1000).toFixed(0)} |
| leaks, contradictions, addresses on two live sandboxes | ${wrong.length === 0 ? "none" : wrong.length} |
`;
}
