import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SpecResult } from "./report.ts";

export interface RunRecord {
  /** Of the commit that runs, with a + when the tree had changes that are in none. */
  readonly commit: string;
  /** Day of the run, UTC. */
  readonly day: string;
  readonly kernel: string;
  readonly nodes: number;
  readonly proxy: string;
  /** True: pods' packets went past the nodes' stack. */
  readonly fastPath?: boolean;
  /** Absent: every spec of specs.txt ran. */
  readonly focus?: string;
}

/** What a run that begins now is of. */
export function provenance(): Pick<RunRecord, "commit" | "day" | "kernel"> {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no") !== "";
  const commit = git("rev-parse", "--short=12", "HEAD") + (changed ? "+" : "");
  return { commit, day: new Date().toISOString().slice(0, 10), kernel: release() };
}

/** Keeps what became of each spec as the last run of that name. */
export async function record(name: string, run: RunRecord, results: readonly SpecResult[]): Promise<void> {
  const folder = fileURLToPath(new URL("results/", import.meta.url));
  await mkdir(folder, { recursive: true });
  const specs = results.map(({ spec, state, seconds }) => ({ spec, state, seconds }));
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify({ ...run, specs }, undefined, 1)}\n`);
}
