import type { RuntimeName } from "../node/runtime.ts";
import { DemoRun } from "./demo-run.ts";
import { type LabRunOptions, runWithLab } from "./lab-run.ts";
import { downCommand } from "./look-around.ts";
import type { Output } from "./progress.ts";

export interface DemoOptions extends LabRunOptions {
  readonly runtime: RuntimeName;
  /** Pods come from a real API server, scheduler and kubelets, instead of from the demo itself. */
  readonly kubernetes: boolean;
}

/** Answers the exit status. */
export function runDemo(options: DemoOptions, output: Output): Promise<number> {
  const demo = new DemoRun(options);
  const { used } = demo;
  const story = { what: "demo", downCommand: downCommand(options.id), used, run: demo.run.bind(demo) };
  return runWithLab(options, story, output);
}
