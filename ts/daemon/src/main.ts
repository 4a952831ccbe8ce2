import { systemClock, systemRandom } from "@terway/model";
import { describeProblems, readConfigFile } from "./config-file.ts";
import { readConflistSource, renderConflist } from "./conflist.ts";
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

  const read = await readConfigFile(flags.config).catch((error: unknown) =>
    refuse([`${flags.config}: ${error instanceof Error ? error.message : String(error)}`]),
  );
  const warnings = describeProblems(flags.config, read.result.warnings);
  if (!read.result.ok) refuse([...describeProblems(flags.config, read.result.errors), ...warnings.map((line) => `warning: ${line}`)]);
  const conf = read.result.config;
  // Read again when it is published; what is wrong with it now shall stop the start, not a node that serves.
  const conflist = renderConflist(await readConflistSource(flags.cniConf));
  if (!conflist.ok) refuse(conflist.problems);

  const { log, flush } = openLog(flags.logLevel ?? conf.logLevel ?? "info", flags.nodeName);
  process.on("exit", flush);
  for (const warning of warnings) log.warn(warning);

  const stop = new AbortController();
  // A second signal does not hurry: what is under way is bounded by the drain.
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());

  try {
    await runDaemon(
      {
        flags,
        config: { conf, text: read.text },
        cniConf: conflist.config,
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
    const wait = error instanceof InstanceChanged ? "; it starts again for this instance" : "";
    log.fatal({ err: error }, `terwayd ends${wait}: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(exitStatus.failed);
  }
}

void main();
