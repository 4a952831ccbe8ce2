import { systemClock, systemRandom, WrongConfiguration } from "@terway/model";
import { helpText, readFlags } from "./flags.ts";
import { openLog } from "./log.ts";
import { runControlPlane } from "./program.ts";

const exitStatus = { failed: 1, wrong: 2 } as const;

function refuse(problems: readonly string[]): never {
  for (const problem of problems) process.stderr.write(`terway-controlplane: ${problem}\n`);
  process.exit(exitStatus.wrong);
}

async function main(): Promise<never> {
  const parsed = readFlags(process.argv.slice(2), process.env);
  if (parsed.kind === "help") {
    process.stdout.write(helpText);
    process.exit(0);
  }
  if (parsed.kind === "error") refuse(parsed.problems);
  const { flags } = parsed;
  const log = openLog(flags.logLevel, flags.identity);
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());
  try {
    await runControlPlane({ flags, clock: systemClock, random: systemRandom, log }, stop.signal);
    process.exit(0);
  } catch (error) {
    if (stop.signal.aborted) process.exit(0);
    if (error instanceof WrongConfiguration) refuse(error.problems);
    log.fatal({ err: error }, `terway-controlplane ends: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(exitStatus.failed);
  }
}

void main();
