import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type OnOutcome, outcomes } from "./outcomes.ts";
import type { SuiteProgram } from "./programs.ts";
import { focusOf } from "./specs.ts";

export interface SuiteRun {
  readonly program: (name: SuiteProgram) => string;
  /** Kubeconfig of somebody who may do everything. */
  readonly kubeconfig: string;
  readonly kubectl: string;
  /** Of the cluster: the suite skips what needs more than it was told of. */
  readonly nodes: number;
  readonly specs: readonly string[];
  /** How many specs run at a time, those apart that the suite calls serial. */
  readonly processes: number;
  /** For the report and what the suite writes. */
  readonly folder: string;
  /** Called after each spec. */
  readonly onOutcome: OnOutcome;
}

/** Runs the specs on a cluster. Answers the path of Ginkgo's report; throws when there is none. */
export async function runSuite({ program, kubeconfig, kubectl, nodes, specs, processes, folder, onOutcome }: SuiteRun): Promise<string> {
  await mkdir(folder, { recursive: true });
  const log = createWriteStream(join(folder, "suite.log"));
  try {
    const own = [
      `--procs=${processes}`,
      `--focus=${focusOf(specs)}`,
      "--timeout=6h",
      "--no-color",
      "-v",
      "--json-report=report.json",
      `--output-dir=${folder}`,
    ];
    const suite = ["--provider=skeleton", `--kubeconfig=${kubeconfig}`, `--kubectl-path=${kubectl}`, `--num-nodes=${nodes}`];
    const child = spawn(program("ginkgo"), [...own, program("e2e.test"), "--", ...suite], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: folder,
      // A group of its own: Ginkgo's processes end with it when this one is interrupted.
      detached: true,
    });
    const stop = () => child.pid !== undefined && process.kill(-child.pid, "SIGKILL");
    process.once("exit", stop);
    child.stdout.pipe(log, { end: false });
    void outcomes(child.stdout, onOutcome);
    child.stderr.pipe(log, { end: false });
    const [code, signal] = z.tuple([z.number().nullable(), z.string().nullable()]).parse(await once(child, "close"));
    process.off("exit", stop);
    // 1: specs failed, which the report says better.
    if (code !== 0 && code !== 1) throw new Error(`ginkgo ended with ${code ?? signal}; see ${join(folder, "suite.log")}`);
    return join(folder, "report.json");
  } finally {
    log.end();
  }
}
