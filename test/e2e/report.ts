import { readFile } from "node:fs/promises";
import { z } from "zod";

/** What became of one spec. */
export interface SpecResult {
  readonly spec: string;
  readonly state: "passed" | "failed" | "skipped";
  readonly seconds: number;
  /** Of a failure or a skip, in the suite's words. */
  readonly message?: string;
}

const reportSchema = z.array(
  z.object({
    SuiteSucceeded: z.boolean(),
    SpecialSuiteFailureReasons: z.array(z.string()).nullish(),
    SpecReports: z.array(
      z.object({
        ContainerHierarchyTexts: z.array(z.string()).nullish(),
        LeafNodeType: z.string(),
        LeafNodeText: z.string(),
        State: z.string(),
        /** Nanoseconds. */
        RunTime: z.number(),
        Failure: z.object({ Message: z.string().default("") }).optional(),
      }),
    ),
  }),
);

/** Reads Ginkgo's report. What should have run and is not there counts as failed, and what the suite skipped by itself as skipped. */
export async function readReport(file: string, expected: readonly string[]): Promise<SpecResult[]> {
  const reports = reportSchema.parse(JSON.parse(await readFile(file, "utf8")));
  const results = new Map<string, SpecResult>();
  const others: SpecResult[] = [];
  for (const { SpecReports } of reports) {
    for (const { ContainerHierarchyTexts, LeafNodeType, LeafNodeText, State, RunTime, Failure } of SpecReports) {
      const state = State === "passed" ? "passed" : State === "skipped" || State === "pending" ? "skipped" : "failed";
      const seconds = Math.round(RunTime / 1e8) / 10;
      const message = Failure === undefined ? {} : { message: Failure.Message };
      const spec = [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(" ").trim();
      if (LeafNodeType === "It") results.set(spec, { spec, state, seconds, ...message });
      // What goes before or after all specs has no name but its kind, and is of interest only when it failed.
      else if (state === "failed") others.push({ spec: `${LeafNodeType} ${spec}`.trim(), state, seconds, ...message });
    }
  }
  const missing = (spec: string): SpecResult => ({ spec, state: "failed", seconds: 0, message: "the suite's report does not name it" });
  return [...expected.map((spec) => results.get(spec) ?? missing(spec)), ...others];
}

/** `Services` of `[sig-network] Services should …`: the words that begin with capitals; the feature where a spec stands in no part of the suite. */
export function groupOf(spec: string): string {
  const words = spec.replace("[sig-network] ", "");
  const [, feature] = /^\[Feature:(\w+)\]/.exec(words) ?? [];
  const [capitals] = /^([A-Z]\w*,? ?)+/.exec(words.replaceAll(/\[[^\]]*\] /g, "")) ?? [];
  return feature ?? capitals?.trim() ?? words;
}

/** A line for each group, and their sum. */
export function table(results: readonly SpecResult[], omitted: readonly string[]): string {
  const groups = [...new Set([...results.map(({ spec }) => spec), ...omitted].map(groupOf))].toSorted();
  const row = (name: string, within: (spec: string) => boolean) => {
    const own = results.filter(({ spec }) => within(spec));
    const count = (state: SpecResult["state"]) => own.filter((result) => result.state === state).length;
    const seconds = own.reduce((sum, result) => sum + result.seconds, 0);
    const cells = [count("passed"), count("failed"), count("skipped"), omitted.filter(within).length, Math.round(seconds)];
    return `${name.padEnd(40)}${cells.map((cell) => String(cell).padStart(9)).join("")}`;
  };
  const head = ["passed", "failed", "skipped", "omitted", "seconds"].map((title) => title.padStart(9)).join("");
  return [`${"".padEnd(40)}${head}`, ...groups.map((group) => row(group, (spec) => groupOf(spec) === group)), row("all", () => true)].join(
    "\n",
  );
}
