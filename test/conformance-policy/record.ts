import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { table } from "../../ts/lab/src/demo/table.ts";
import type { provenance } from "../vm/record.ts";
import { type CaseResult, mistakes } from "./run.ts";

/** Where the last complete run of each mode and stack is kept. */
const folder = new URL("results/", import.meta.url);

const groupSchema = z.object({ group: z.string(), cases: z.number(), probes: z.number(), wrong: z.number() });
const recordSchema = z.object({
  /** As it was asked for, and as the nodes said it. */
  mode: z.string(),
  used: z.string(),
  stack: z.enum(["dual", "ipv4", "ipv6"]),
  commit: z.string(),
  day: z.iso.date(),
  kernel: z.string(),
  seconds: z.number(),
  /** Which cases of the table: all of it, or the slice that emulated processors run. */
  part: z.enum(["complete", "slice"]),
  groups: z.array(groupSchema),
  /** Cases with wrong probes. */
  failed: z.array(z.string()),
});
type Recorded = z.infer<typeof recordSchema>;

/** A run under this kernel. Where it ran nobody may know the commit. */
export const runSchema = recordSchema.omit({ commit: true, day: true });
export type Run = z.infer<typeof runSchema>;

export function runOf(run: Omit<Run, "groups" | "failed" | "kernel">, results: readonly CaseResult[]): Run {
  const groups = [...new Set(results.map(({ group }) => group))].map((group) => {
    const cases = results.filter((one) => one.group === group);
    const probes = cases.flatMap(({ steps }) => steps.flatMap((step) => step.probes));
    return { group, cases: cases.length, probes: probes.length, wrong: probes.filter(({ wrong }) => wrong !== undefined).length };
  });
  const failed = results.filter((one) => mistakes(one).length > 0).map(({ group, name }) => `${group}: ${name}`);
  return { ...run, kernel: release(), groups, failed };
}

/** Keeps a run, in place of the one before of that mode and stack, and the table of all that are kept. */
export async function record(run: Run, of: ReturnType<typeof provenance>): Promise<void> {
  const kept: Recorded = { ...run, ...of };
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${run.mode}.${run.stack}.json`, folder), `${JSON.stringify(recordSchema.parse(kept), null, 1)}\n`);
  await writeFile(new URL("README.md", folder), overview(await recorded()));
}

async function recorded(): Promise<Recorded[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const parsed = recordSchema.safeParse(JSON.parse(await readFile(new URL(name, folder), "utf8")));
      if (!parsed.success) throw new Error(`${fileURLToPath(new URL(name, folder))}: ${z.prettifyError(parsed.error)}`);
      return parsed.data;
    }),
  );
}

function overview(runs: readonly Recorded[]): string {
  const sum = (run: Recorded, key: "cases" | "probes" | "wrong") => run.groups.reduce((total, group) => total + group[key], 0);
  const rows = runs.map((run) => [
    ...[run.mode, run.stack, run.used, run.part, String(sum(run, "cases")), String(sum(run, "probes")), String(sum(run, "wrong"))],
    ...[run.kernel, `${run.seconds} s`, run.day, run.commit],
  ]);
  const text = table(["mode", "pods", "used by the nodes", "part", "cases", "probes", "wrong", "kernel", "took", "day", "commit"], rows);
  const failed = runs.flatMap(({ mode, stack, failed: names }) => names.map((name) => `${mode}, ${stack}: ${name}\n`));
  const head =
    "<!-- Written by `npm run test:conformance -- --record`. -->\n\n# The last recorded runs of the table of NetworkPolicy cases\n\n";
  return `${head}\`\`\`\n${text}\n\`\`\`\n${failed.length === 0 ? "" : `\nWrong:\n\n${failed.map((line) => `- ${line}`).join("")}`}`;
}
