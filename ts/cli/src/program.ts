import { writeFile } from "node:fs/promises";
import { Command, CommanderError, Option } from "commander";
import { DaemonAway, Refused } from "./client.ts";
import { doctor } from "./command/doctor.ts";
import { events } from "./command/events.ts";
import { execute } from "./command/execute.ts";
import { imageExecutable, installCni } from "./command/install-cni.ts";
import { list } from "./command/list.ts";
import { mapping } from "./command/mapping.ts";
import { metadata } from "./command/metadata.ts";
import { followDrops, policy } from "./command/policy.ts";
import { show } from "./command/show.ts";
import type { Output } from "./output.ts";

/** Exit status, also for scripts: 1 is an answer ("does not agree"), the others are failures to get one. */
export const exitStatus = { ok: 0, mismatch: 1, usage: 2, away: 3, refused: 4 } as const;

export interface Streams {
  readonly colour: boolean;
  out(text: string | Uint8Array): void;
  err(text: string): void;
}

const defaultSocket = "/var/run/eni/terway.socket";

/** Runs the command line (without program and script name) and answers the exit status. */
export async function run(args: readonly string[], streams: Streams): Promise<number> {
  let status: number = exitStatus.ok;
  const program = new Command("terway-cli");
  const output = (): Output => ({
    json: program.opts<{ output?: string }>().output === "json",
    colour: streams.colour,
    write: streams.out,
  });
  const socket = () => program.opts<{ socket: string }>().socket;
  program
    .description("Looks into the Terway daemon of this node, and at how Terway treats cluster, nodes and pods.")
    .option("--socket <path>", "the daemon's socket", process.env.TERWAY_SOCKET ?? defaultSocket)
    .addOption(new Option("-o, --output <format>", "table for people, json for programs").choices(["table", "json"]).default("table"))
    .exitOverride()
    .configureOutput({ writeOut: streams.out, writeErr: streams.err })
    .addHelpText(
      "after",
      "\nExit status: 0 fine, 1 what was compared does not agree, 2 wrong usage, 3 the daemon is away, 4 the daemon refused.",
    );
  program
    .command("list [type]")
    .description("types of resource and their names")
    .action(async (type?: string) => {
      status = await list(socket(), type, output());
    });
  program
    .command("show <type> [name]")
    .description("configuration and state of resource_pool, factory or network_service")
    .action(async (type: string, name?: string) => {
      status = await show(socket(), type, name, output());
    });
  program
    .command("mapping")
    .description("ENI, address and pod, as cloud, journal and kernel see them; exit status 1 when they differ")
    .action(async () => {
      status = await mapping(socket(), output());
    });
  program
    .command("metadata")
    .description("what the instance metadata says of this node")
    .action(async () => {
      status = await metadata(socket(), output());
    });
  program
    .command("events")
    .description("the daemon's last events")
    .action(async () => {
      status = await events(socket(), output());
    });
  program
    .command("policy [pod]")
    .description(
      "what judges the packets of this node's pods; of NAMESPACE/NAME every rule with its policy and counters; exit status 1 without such a pod",
    )
    .option("--drops", "dropped packets as they come, until interrupted")
    .action(async (pod: string | undefined, { drops }: { drops?: boolean }) => {
      if (drops === true) {
        const interrupted = new AbortController();
        process.once("SIGINT", () => interrupted.abort());
        return followDrops(socket(), pod, output(), interrupted.signal);
      }
      if (await policy(socket(), pod, output())) return;
      streams.err(`terway-cli: no pod ${pod} on this node; \`terway-cli policy\` names them\n`);
      status = exitStatus.mismatch;
    });
  program
    .command("execute <type> <resource> <command> [args...]")
    .description("run a command of a resource; `show` names them")
    .action(async (type: string, resource: string, command: string, rest: string[]) => {
      status = await execute(socket(), { type, resource, command, args: rest }, output());
    });
  program
    .command("doctor")
    .description("what is wrong on this node and what to do: configuration, permissions, kernel, drift; exit status 1 when something is")
    .action(async () => {
      if (!(await doctor(socket(), output()))) status = exitStatus.mismatch;
    });
  program
    .command("inspect <what> [names...]")
    .description("`inspect cluster`, `inspect node NAME...`, `inspect pod NAMESPACE POD`: how Terway treats them, from the API server")
    .option("--kubeconfig <file>", "default: KUBECONFIG, the pod's service account, or ~/.kube/config")
    .action(async (what: string, names: string[], { kubeconfig }: { kubeconfig?: string }) => {
      // Only here: the API server's client is half of this program.
      const { inspect } = await import("./command/inspect.ts");
      const problem = await inspect(what, names, kubeconfig, output());
      if (problem === undefined) return;
      streams.err(`terway-cli: ${problem.message}\n`);
      status = exitStatus[problem.status];
    });
  program
    .command("bundle")
    .description("everything that somebody who helps needs, secrets removed, as tar.gz: to standard output, or --out")
    .option("--out <file>", "where to write it")
    .option("--kubeconfig <file>", "as for inspect")
    .option("--cni-conf-dir <directory>", "where the runtime reads conflists", "/etc/cni/net.d")
    .action(async (options: { out?: string; kubeconfig?: string; cniConfDir: string }) => {
      const { bundle } = await import("./command/bundle.ts");
      const archive = await bundle(socket(), options);
      if (options.out === undefined) streams.out(archive);
      else await writeFile(options.out, archive, { mode: 0o600 });
    });
  program
    .command("install-cni")
    .description("put the CNI executable where the runtime looks for it; what the DaemonSet's init container does")
    .option("--from <file>", "the executable", imageExecutable)
    .option("--into <directory>", "where the runtime looks", "/opt/cni/bin")
    .action(async ({ from, into }: { from: string; into: string }) => {
      await installCni(from, into, output());
    });
  // -o and --socket may stand before or after the command's name.
  for (const command of program.commands) {
    command
      .exitOverride()
      .configureOutput({ writeOut: streams.out, writeErr: streams.err })
      .option("--socket <path>", "the daemon's socket")
      .addOption(new Option("-o, --output <format>", "table or json").choices(["table", "json"]))
      .hook("preAction", (_program, action) => {
        for (const [name, value] of Object.entries(action.opts())) program.setOptionValue(name, value);
      });
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.ok : exitStatus.usage;
    if (error instanceof DaemonAway || error instanceof Refused) {
      streams.err(`terway-cli: ${error.message}\n`);
      return error instanceof DaemonAway ? exitStatus.away : exitStatus.refused;
    }
    throw error;
  }
}
