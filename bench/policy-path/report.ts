import { ratioChart } from "../plot.ts";
import { median } from "../statistics.ts";
import type { PolicyPathResult, PolicyRatio } from "./run.ts";

const units = { rr: "round trips/s", crr: "connections/s", udp: "datagrams/s", stream1: "Gbit/s", stream8: "Gbit/s" } as const;
const describe = ({ ours, theirs }: PolicyRatio) => `${ours} ÷ ${theirs}`;
/** Two equal things that differ by more leave nothing to judge. */
const noisy = 0.03;

/** The result for people. Ratios are the result; rates are context. */
export function markdown(result: PolicyPathResult): string {
  const { machine, options, adds } = result;
  const again = result.ratios.filter(({ ours }) => ours.endsWith("again"));
  const spread = Math.max(...again.map(({ low, high }) => Math.max(Math.abs(1 - low), Math.abs(high - 1))));
  const verdict =
    spread > noisy ? "**too noisy to judge**: two equal rule sets differ by more than 3 %" : "two equal rule sets differ by less than 3 %";
  const ratios = result.ratios.map(
    (row) => `| ${row.family} | ${row.kind} | ${describe(row)} | ${row.ratio.toFixed(3)} | ${row.low.toFixed(3)}–${row.high.toFixed(3)} |`,
  );
  const rates = result.samples.map((set) => {
    const rate = median(set.rate);
    const shown = set.kind.startsWith("stream") ? (rate / 1e9).toFixed(2) : rate.toFixed(0);
    return `| ${set.pair} | ${set.family} | ${shown} ${units[set.kind]} | ${set.p50Us.length > 0 ? median(set.p50Us).toFixed(1) : ""} |`;
  });
  return `# What judging packets costs

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, kernel ${machine.kernel}.

A client and a server of one node share one processor, which is busy all the time: a rate is the inverse of what the path costs. ${options.rounds} rounds, in turns (${options.streamRounds} of streams).
*programs-N*: the server is isolated by N rules, and the last one admits the client. *open*: the programs run, no policy selects the server. *unhooked*: no program of ours.
*linear-N*, *map-N*: no program of ours, and nftables rules that say the same, one after another or as a verdict map, behind \`ct state established,related accept\`.

The noise of this run: ${verdict}. An ADD takes ${median(adds.judged).toFixed(1)} ms with the programs and ${median(adds.plain).toFixed(1)} ms without: they add ${adds.addedMs.toFixed(2)} ms.

![ratios](policy-path.svg)

| family | kind | ratio of | median | 95 % |
|---|---|---|---|---|
${ratios.join("\n")}

| server | family | rate | p50 µs |
|---|---|---|---|
${rates.join("\n")}
`;
}

/** The ratios as a picture, from the result alone. */
export function svg({ ratios }: PolicyPathResult): string {
  const title = "Rate of a judged path relative to another of the same rounds (median, 95 % interval)";
  return ratioChart(title, ratios, (row) => `${row.family}: ${describe(row)}`);
}
