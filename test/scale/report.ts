import type { Machine } from "../../bench/machine.ts";
import { median, percentile, sorted } from "../../bench/statistics.ts";
import type { ScaleOptions, ScaleOutcome } from "./run.ts";

export interface ScaleResult extends ScaleOutcome {
  readonly bench: "scale";
  readonly version: 1;
  readonly machine: Machine;
  readonly options: ScaleOptions & {
    readonly nodes: number;
    readonly instanceType: string;
    readonly pool: { readonly min: number; readonly max: number };
  };
}

export function markdown({
  machine,
  options,
  waves,
  calls,
  writesPerPod,
  requestsPerPod,
  quietCalls,
  failedSandboxes,
  wrong,
}: ScaleResult): string {
  const running = waves.flatMap(({ runningMs }) => runningMs);
  const add = waves.flatMap(({ addMs }) => addMs);
  const shares = running.map((ms, index) => (100 * (add[index] ?? 0)) / ms);
  const row = (what: string, values: readonly number[], digits: number) => {
    const at = (share: number) => percentile(sorted(values), share).toFixed(digits);
    return `| ${what} | ${at(0.5)} | ${at(0.9)} | ${at(0.99)} | ${at(1)} |`;
  };
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([action, count]) => `${action} ${count}`)
      .join(", ") || "none";
  return `# Pods in waves on a cluster

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, Linux ${machine.kernel}.

${options.pods} pods on ${options.nodes} nodes (${options.instanceType}, dual stack, \`min_pool_size\` ${options.pool.min}, \`max_pool_size\` ${options.pool.max}), created and deleted in ${waves.length} waves of at most ${options.perWave}, placed by the scheduler; kubelets, containerd, API server, etcd and the simulated cloud share the machine.

| | p50 | p90 | p99 | most |
|---|---|---|---|---|
${row("created to Running, ms", running, 0)}
${row("of that ADD in terwayd, ms", add, 1)}
${row("ADD's share, %", shares, 1)}

A wave's pods were gone after ${(median(waves.map(({ goneMs }) => goneMs)) / 1000).toFixed(1)} s (median).

| | |
|---|---|
| cloud calls | ${list(calls)} |
| write calls for each pod | ${writesPerPod.toFixed(3)} |
| requests of the daemons to the API server for each pod | ${requestsPerPod.toFixed(2)} |
| cloud calls in ${options.quietMs / 1000} s without pods | ${list(quietCalls)} |
| sandboxes that needed another try | ${failedSandboxes.length} |
| leaks and contradictions | ${wrong.length === 0 ? "none" : wrong.length} |
`;
}
