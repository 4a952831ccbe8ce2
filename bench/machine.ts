import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";

/** What a result must say of where it was measured. */
export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly node: string;
  readonly commit: string;
  /** True when the tree had changes that are in no commit. */
  readonly dirty: boolean;
  readonly measuredAt: string;
}

export function describeMachine(): Machine {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
  return {
    kernel: release(),
    cpu: cpus()[0]?.model ?? "unknown",
    cpus: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    node: process.version,
    commit: git("rev-parse", "HEAD"),
    dirty: git("status", "--porcelain", "--untracked-files=no") !== "",
    measuredAt: new Date().toISOString(),
  };
}
