import type { MemoryResult } from "./run.ts";

export function markdown({ machine, options, points }: MemoryResult): string {
  const rows = points.map(
    ({ clusterPods, readyMs, readyCpuMs, peakMiB, restMiB, heapMiB }) =>
      `| ${clusterPods} | ${peakMiB.toFixed(0)} | ${restMiB.toFixed(0)} | ${heapMiB.toFixed(0)} | ${readyMs.toFixed(0)} | ${readyCpuMs.toFixed(0)} |`,
  );
  return `# Memory of terwayd

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}.

${options.nodePods} pods on the node, attached, with NetworkPolicy enforced; ${options.policies} policies; ${options.changesPerSecond} pods of the cluster change in each second for ${options.churnMs / 1000} s. Each point is a process of its own that finds the journal of the pods; the first one attaches them, too.

| pods elsewhere in the cluster | resident at the peak, MiB | resident in the end, MiB | heap in the end, MiB | ready after, ms | processor time until then, ms |
|---|---|---|---|---|---|
${rows.join("\n")}
`;
}
