import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { KernelRun } from "./matrix.ts";

/** Where the last run under each kernel is kept. */
export const recordsFolder = fileURLToPath(new URL("results/", import.meta.url));

const recordSchema = z.object({
  kernel: z.string(),
  release: z.string(),
  /** The commit whose tests ran, with a + when the tree had changes that are in none. */
  commit: z.string(),
  /** Day of the run, UTC. */
  day: z.iso.date(),
  /** False for a brief run, which leaves out kills, drift and both families at once. */
  whole: z.boolean(),
  /** Programs that ran again, and what of. */
  later: z.array(z.object({ programs: z.array(z.string()), commit: z.string(), day: z.iso.date() })).optional(),
  /** What the probe said: null for available, else the reason. */
  features: z.record(z.string(), z.string().nullable()),
  results: z.array(z.object({ name: z.string(), status: z.enum(["passed", "failed", "skipped"]), reason: z.string().optional() })),
});

/** A run under one kernel, as it is kept. */
export interface RecordedRun extends KernelRun {
  readonly commit: string;
  readonly day: string;
  readonly whole: boolean;
  readonly later?: readonly { readonly programs: readonly string[]; readonly commit: string; readonly day: string }[];
}

/** What a run that begins now is of. */
export function provenance(): Pick<RecordedRun, "commit" | "day"> {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no") !== "";
  return { commit: git("rev-parse", "--short=12", "HEAD") + (changed ? "+" : ""), day: new Date().toISOString().slice(0, 10) };
}

/** Keeps a run, in place of the one before under that kernel. */
export async function record(
  { kernel, release, commit, day, whole, later, features, results }: RecordedRun,
  folder = recordsFolder,
): Promise<void> {
  const kept: z.infer<typeof recordSchema> = {
    kernel,
    release,
    commit,
    day,
    whole,
    ...(later === undefined ? {} : { later: later.map(({ programs, ...of }) => ({ programs: [...programs], ...of })) }),
    features: Object.fromEntries([...features].map(([name, reason]) => [name, reason ?? null])),
    results: results
      .map(({ name, status, reason }) => ({ name, status, ...(status === "skipped" && reason !== undefined ? { reason } : {}) }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${kernel}.json`), `${JSON.stringify(recordSchema.parse(kept), null, 1)}\n`);
}

/** Puts what these programs said into the run that is kept of the kernel. Throws when none is. */
export async function amend(run: Omit<RecordedRun, "whole" | "later">, programs: readonly string[], folder = recordsFolder): Promise<void> {
  const before = recordedRuns(folder).find(({ kernel }) => kernel === run.kernel);
  if (before === undefined) throw new Error(`no run under ${run.kernel} is kept that ${programs.join(", ")} could be a part of`);
  // `6.1 lifecycle::a`, and here `lifecycle::a`
  const isOf = ({ name }: { name: string }) => programs.includes(name.slice(name.lastIndexOf(" ") + 1).split("::")[0] ?? "");
  const { commit, day } = run;
  const others = (before.later ?? []).filter((one) => !one.programs.every((program) => programs.includes(program)));
  const results = [...before.results.filter((result) => !isOf(result)), ...run.results.filter(isOf)];
  await record({ ...before, later: [...others, { programs, commit, day }], results }, folder);
}

/** All that is kept. Throws with the file's name when one has another form. */
export function recordedRuns(folder = recordsFolder): RecordedRun[] {
  const files = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => name.endsWith(".json"));
  return files.map((name) => {
    const parsed = recordSchema.safeParse(JSON.parse(readFileSync(join(folder, name), "utf8")));
    if (!parsed.success) throw new Error(`${join(folder, name)}: ${z.prettifyError(parsed.error)}`);
    const { features, results, later, ...rest } = parsed.data;
    return {
      ...rest,
      ...(later === undefined ? {} : { later }),
      features: new Map(Object.entries(features).map(([feature, reason]) => [feature, reason ?? undefined])),
      results: results.map(({ reason, ...result }) => (reason === undefined ? result : { ...result, reason })),
    };
  });
}
