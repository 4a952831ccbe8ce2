import { ratioChart } from "../plot.ts";
import { median } from "../statistics.ts";
import type { PathRatio, PathResult } from "./run.ts";

const units = {
  rr: "round trips/s",
  crr: "connections/s",
  udp: "datagrams/s",
  stream1: "Gbit/s, 1 stream",
  stream8: "Gbit/s, 8 streams",
} as const;

function describe({ ours, theirs }: PathRatio): string {
  return ours.pair === theirs.pair
    ? `${ours.pair}, ${ours.podsPresent} ÷ ${theirs.podsPresent} pods`
    : `${ours.pair} ÷ ${theirs.pair}, ${ours.podsPresent} pods`;
}

const stackLegend = `*host*: node to node. *floor*: the hops of a pod's path with the least that policy routing needs, one rule and one table. *forwarding*: the same hops
without any rule. *pods*: the pods that were made last.`;
const fastLegend = `*fast*: pods of nodes with the fast path, isolated by a NetworkPolicy that allows everybody, so that each connection asks the rules and each packet its flow.
*floor*: the same hops by programs that decide nothing. *plain*: pods of nodes that forward by their stack, without NetworkPolicy. *host*: node to node.
"1,000 Services": the chains and maps of kube-proxy's nftables mode on the nodes.`;

function legend({ mode }: PathResult["options"]): string {
  if (mode === undefined) return stackLegend;
  return mode === "fast" ? fastLegend : `*${mode}* and *policy route*: pods of nodes of that mode. *host*: node to node.`;
}

/** The result for people. Ratios are the result; rates are context. */
export function markdown(result: PathResult, picture = "path.svg"): string {
  const { machine, options } = result;
  const ratios = result.ratios.map(
    (row) =>
      `| ${row.topology} | ${row.family} | ${row.kind} | ${describe(row)} | ${row.ratio.toFixed(3)} | ${row.low.toFixed(3)}–${row.high.toFixed(3)} |`,
  );
  const rates = result.samples.map((set) => {
    const rate = median(set.rate);
    const shown = set.kind.startsWith("stream") ? (rate / 1e9).toFixed(2) : rate.toFixed(0);
    const latency = set.p50Us.length > 0 ? `${median(set.p50Us).toFixed(1)} / ${median(set.p99Us).toFixed(1)}` : "";
    const cpu = set.kind.startsWith("stream") ? (1e9 / rate).toFixed(3) : "";
    return `| ${set.topology} | ${set.pair} | ${set.podsPresent} | ${set.family} | ${shown} ${units[set.kind]} | ${latency} | ${cpu} |`;
  });
  return `# Paths

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, kernel ${machine.kernel}.

Client and server share one processor, which is busy all the time: a rate is the inverse of what the path costs. ${options.rounds} rounds, in turns (${options.streamRounds} of streams).
${legend(options)} Ratios of round trips and connections are of their median times.

![ratios](${picture})

| topology | family | kind | ratio of | median | 95 % |
|---|---|---|---|---|---|
${ratios.join("\n")}

| topology | pair | pods on a node | family | rate | p50 / p99 µs | CPU seconds per Gbit |
|---|---|---|---|---|---|---|
${rates.join("\n")}
`;
}

/** The ratios as a picture, from the result alone. */
export function svg({ ratios }: PathResult): string {
  const title = "Rate of a path relative to another of the same rounds (median, 95 % interval)";
  return ratioChart(title, ratios, (row) => `${row.topology}, ${row.family}: ${describe(row)}`);
}
