import { systemClock, systemRandom, WrongConfiguration } from "@terway/model";
import { runDaemon } from "./daemon.ts";
import { helpText, readFlags } from "./flags.ts";
import { InstanceChanged } from "./identity.ts";
import { openLog } from "./log.ts";

const exitStatus = { failed: 1, wrong: 2 } as const;

function refuse(problems: readonly string[]): never {
  for (const problem of problems) process.stderr.write(`terwayd: ${problem}\n`);
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

  const { log, flush } = openLog(flags.logLevel ?? "info", flags.nodeName);
  process.on("exit", flush);

  const stop = new AbortController();
  // A second signal does not hurry: what is under way is bounded by the drain.
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());

  try {
    await runDaemon(
      {
        flags,
        clock: systemClock,
        random: systemRandom,
        log,
        processId: process.pid,
        kill: () => process.kill(process.pid, "SIGKILL"),
      },
      stop.signal,
    );
    process.exit(0);
  } catch (error) {
    if (error instanceof WrongConfiguration) refuse(error.problems);
    const wait = error instanceof InstanceChanged ? "; it starts again for this instance" : "";
    log.fatal({ err: error }, `terwayd ends${wait}: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(exitStatus.failed);
  }
}

void main();
