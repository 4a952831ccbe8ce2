import type { Machine } from "../machine.ts";
import { median } from "../statistics.ts";
import type { AddOptions } from "./measure.ts";
import type { SampleSet, SummaryRow } from "./samples.ts";

export interface AddResult {
  readonly bench: "add";
  readonly version: 1;
  readonly machine: Machine;
  readonly options: AddOptions;
  readonly samples: readonly SampleSet[];
  readonly summary: readonly SummaryRow[];
  readonly pods: {
    readonly few: number;
    readonly many: number;
    readonly addRatioToFloorFew: number;
    readonly addRatioToFloorMany: number;
    readonly growth: number;
  };
  readonly rename: { readonly delThenAddMs: readonly number[]; readonly deviceGoneMs: readonly number[] };
  readonly daemon: {
    readonly rssMiBAtStart: number;
    readonly rssMiBAtEnd: number;
    readonly churn: { readonly cycles: number; readonly rssMiBPerThousand: readonly number[]; readonly slopeMiBPerThousand: number };
  };
}

const ms = (value: number) => value.toFixed(2);
const times = (value: number) => value.toFixed(2);

/** The result for people. Ratios are the result; times are context. */
export function markdown(result: AddResult): string {
  const { machine, summary, pods, rename, daemon } = result;
  const rows = summary.map(
    (row) =>
      `| ${row.verb} | ${row.parallel} | ${ms(row.p50Ms)} | ${ms(row.p90Ms)} | ${ms(row.p99Ms)} | ${times(row.ratioToFloor.p50)} ` +
      `(${times(row.ratioToFloor.p50Interval.low)}–${times(row.ratioToFloor.p50Interval.high)}) | ${times(row.ratioToFloor.p99)} | ` +
      `${times(row.ratioToPtp.p50)} | ${times(row.ratioToPtp.p99)} |`,
  );
  return `# ADD and DEL, mode ${result.options.mode}

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, kernel ${machine.kernel}, Node ${machine.node}.

Each call is a process started by the same driver, measured from before the fork to its exit status; IPv4; contenders take turns round by round.
*floor*: a static program, one socket echo, one fdatasync, the same kernel objects. *ptp*: Debian's plugin with host-local.
${pods.few} pods were there already.

| verb | at once | p50 ms | p90 ms | p99 ms | ÷ floor p50 (95 %) | ÷ floor p99 | ÷ ptp p50 | ÷ ptp p99 |
|---|---|---|---|---|---|---|---|---|
${rows.join("\n")}

| | |
|---|---|
| ADD ÷ floor beside ${pods.few} pods | ${times(pods.addRatioToFloorFew)} |
| ADD ÷ floor beside ${pods.many} pods | ${times(pods.addRatioToFloorMany)} |
| growth | ${times(pods.growth)} |
| DEL and at once ADD of one name, median | ${ms(median(rename.delThenAddMs))} ms |
| device really gone after the answers, median | ${ms(median(rename.deviceGoneMs))} ms |
| daemon, resident at the start / at the end | ${daemon.rssMiBAtStart.toFixed(0)} / ${daemon.rssMiBAtEnd.toFixed(0)} MiB |
| growth per thousand ADDs and DELs, second half of ${daemon.churn.cycles} | ${daemon.churn.slopeMiBPerThousand.toFixed(2)} MiB |
`;
}
