import { percentile, sorted } from "../statistics.ts";
import type { PolicyResult } from "./run.ts";

export function markdown({ machine, options, cluster, compiled, changes }: PolicyResult): string {
  const { shape } = options;
  const rows = changes.map(({ kind, ms, podsTouched }) => {
    const at = (share: number) => percentile(sorted(ms), share).toFixed(3);
    return `| ${kind} | ${at(0.5)} | ${at(0.99)} | ${podsTouched} |`;
  });
  return `# Compiling NetworkPolicy

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, Node ${machine.node}.

${cluster.namespaces} namespaces, ${cluster.policies} policies, ${cluster.pods} pods; ${shape.selectorsPerPolicy} peers in each direction, ${shape.crossing * 100} % of them in other namespaces; seed ${shape.seed}. Objects are decoded already.

| | |
|---|---|
| whole cluster | ${compiled.seconds.toFixed(2)} s, ${compiled.cpuSeconds.toFixed(2)} s of CPU on all threads |
| identities / policy sets | ${compiled.identities} / ${compiled.sets} |
| heap of the compiler | ${compiled.heapMiB.toFixed(0)} MiB |
| resident at the peak, objects and runtime included | ${compiled.peakRssMiB.toFixed(0)} MiB |

| one change | p50 ms | p99 ms | pods whose verdicts changed |
|---|---|---|---|
${rows.join("\n")}
`;
}
