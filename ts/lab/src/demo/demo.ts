import type { DemoOptions } from "./demo-options.ts";
import { DemoRun } from "./demo-run.ts";
import { runWithLab } from "./lab-run.ts";
import { downCommand } from "./look-around.ts";
import type { Output } from "./progress.ts";

/** Answers the exit status. */
export function runDemo(options: DemoOptions, output: Output): Promise<number> {
  const demo = new DemoRun(options);
  const { used } = demo;
  const story = { what: "demo", downCommand: downCommand(options.id), used, run: demo.run.bind(demo) };
  return runWithLab(options, story, output);
}
