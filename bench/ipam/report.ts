import { percentile, sorted } from "../statistics.ts";
import type { IpamResult } from "./run.ts";

export function markdown({ machine, options, start, steady, memory }: IpamResult): string {
  const at = (samples: readonly number[], share: number) => (samples.length === 0 ? "–" : percentile(sorted(samples), share).toFixed(0));
  const row = (name: string, value: (phase: IpamResult["start"]) => string) => `| ${name} | ${value(start)} | ${value(steady)} |`;
  const rows = [
    row("pods that came", ({ pods }) => String(pods)),
    row("simulated time, s", ({ simulatedSeconds }) => simulatedSeconds.toFixed(0)),
    row("cores of the process", ({ cpuSeconds, simulatedSeconds }) => (cpuSeconds / simulatedSeconds).toFixed(2)),
    row("cloud writes for each pod", ({ cloudWrites, pods }) => (cloudWrites / pods).toFixed(3)),
    row("cloud reads for each node", ({ cloudReads }) => (cloudReads / options.nodes).toFixed(3)),
    row("writes to the API server for each pod", ({ apiWrites, pods }) => (apiWrites / pods).toFixed(2)),
    row("bound → address written, p50 ms", ({ latencyMs }) => at(latencyMs, 0.5)),
    row("the same, p99 ms", ({ latencyMs }) => at(latencyMs, 0.99)),
  ];
  return `# Centralized IPAM in simulation

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, Node ${machine.node}.

${options.nodes} nodes, ${options.podsPerNode} pods on each, then ${options.changesPerSecond} changes a second (half of them pods that come, half that go) for ${options.seconds} s. The clock is
fake; the cloud is the lab's simulator with a real one's delays and published call limits, in the same process, as is the API server (${options.apiWriteMs} ms a write).
Processor time and resident memory are the whole process's, both simulators included; “leader” is what its heap loses when the controller closes.

| | all pods at once, nodes empty | changes, pools warm |
|---|---|---|
${rows.join("\n")}

| | |
|---|---|
| resident at the peak, whole process | ${memory.peakRssMiB.toFixed(0)} MiB |
| leader's heap | ${memory.leaderHeapMiB.toFixed(0)} MiB |
| largest Node object, without managed fields | ${(memory.largestObjectBytes / 1024).toFixed(1)} KiB |
`;
}
