import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run, tail } from "../../test/runner/command.ts";
import { cacheDirectory, fetchArtifacts, type KernelVersion, kernel, kernelVersions, userland } from "../../test/vm/guest/artifacts.ts";
import { type Disk, diskFromFolder } from "../../test/vm/guest/disk.ts";
import { runGuest } from "../../test/vm/guest/guest.ts";
import { describeMachine, type Machine } from "../machine.ts";

/** Instructions of one round trip. */
export interface PathCost {
  readonly kernel: KernelVersion;
  readonly mode: string;
  readonly family: string;
  readonly path: string;
  readonly instructions: number;
}

export interface InstructionsResult {
  readonly bench: "instructions";
  readonly version: 1;
  readonly machine: Machine;
  /** Release of each guest's kernel. */
  readonly releases: Readonly<Record<string, string>>;
  readonly costs: readonly PathCost[];
  /** What a kernel does not have, in its own words. */
  readonly missing: readonly { readonly kernel: KernelVersion; readonly mode: string; readonly reason: string }[];
}

/**
 * Counts the instructions of one datagram there and back, in guests: their processor is emulated, so that times mean nothing, but one that counts
 * instructions instead of time gives the same number everywhere.
 */
export async function runInstructions(versions: readonly KernelVersion[], say: (line: string) => void): Promise<InstructionsResult> {
  await fetchArtifacts();
  const cache = cacheDirectory();
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, `vm-run-${process.pid}-`));
  try {
    const staging = join(folder, "program");
    await mkdir(staging);
    await copyFile(await buildProgram(), join(staging, "path_cost"));
    const disk: Disk = { image: join(folder, "program.ext4"), mountPoint: "/bench" };
    await diskFromFolder(staging, disk.image, 64);
    const root = await userland();
    const result: InstructionsResult = {
      bench: "instructions",
      version: 1,
      machine: describeMachine(),
      releases: {},
      costs: [],
      missing: [],
    };
    const releases: Record<string, string> = {};
    const costs: PathCost[] = [];
    const missing: InstructionsResult["missing"][number][] = [];
    for (const version of versions) {
      say(`a guest with kernel ${version}`);
      const outcome = await runGuest({
        kernel: await kernel(version),
        userland: root,
        folder,
        disks: [disk],
        countInstructions: true,
        command: "uname -r | sed 's/^/release /'\ncd /tmp && /bench/path_cost\n",
        commandTimeoutMs: 10 * 60_000,
      });
      if (outcome.exitCode !== 0) throw new Error(`kernel ${version}: ${outcome.trouble ?? tail(outcome.output, 20)}`);
      releases[version] = /^release (\S+)$/m.exec(outcome.output)?.[1] ?? "unknown";
      for (const [, mode = "", family = "", path = "", count] of outcome.output.matchAll(/^path (\S+) (\S+) (\S+) (\d+)$/gm)) {
        costs.push({ kernel: version, mode, family, path, instructions: Number(count) });
      }
      for (const [, mode = "", reason = ""] of outcome.output.matchAll(/^SKIP (\S+): (.*)$/gm))
        missing.push({ kernel: version, mode, reason });
    }
    return { ...result, releases, costs, missing };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export { kernelVersions };

/** For this machine: the guests' userland has the same C library. */
async function buildProgram(): Promise<string> {
  const flags = ["--locked", "--release", "-p", "terway-datapath", "--example", "path_cost", "--message-format=json"];
  const outcome = await run("cargo", ["build", ...flags]);
  const file = /"executable":"([^"]*path_cost)"/.exec(outcome.output)?.[1];
  if (outcome.code !== 0 || file === undefined) throw new Error(`path_cost does not build:\n${tail(outcome.output, 30)}`);
  return file;
}
