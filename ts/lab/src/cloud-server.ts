/**
 * The simulator alone, as a program:
 *
 *   node ts/lab/src/cloud-server.ts --openapi 127.0.0.1:7001 --metadata 127.0.0.1:7002 --control /run/cloud.sock [--seed 1] [--delays realistic]
 *
 * Prints one line of JSON with the addresses it listens on when it is ready. SIGTERM and SIGINT end it.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import type { HostPort } from "./cloud/door.ts";
import { listen } from "./cloud/listen.ts";
import { ScriptedClock } from "./cloud/scripted-clock.ts";
import { delayProfiles } from "./cloud/settings.ts";
import { CloudSimulator } from "./cloud/simulator.ts";

interface Options {
  readonly openapi?: HostPort;
  readonly metadata?: HostPort;
  readonly control?: string | HostPort;
  readonly seed: number;
  readonly delays: keyof typeof delayProfiles;
  readonly scriptedClock?: boolean;
}

function hostPort(text: string): HostPort {
  const match = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(text);
  if (match === null) throw new InvalidArgumentError("write HOST:PORT, port 0 takes a free one");
  return { host: match[1] ?? "", port: Number(match[2]) };
}

function integer(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("not a number");
  return Number(text);
}

const program = new Command("cloud-server")
  .description("Simulator of the Alibaba Cloud ECS and VPC OpenAPI and of the instance metadata service")
  .option("--openapi <host:port>", "ECS and VPC OpenAPI", hostPort)
  .option("--metadata <host:port>", "instance metadata service", hostPort)
  .option("--control <path or host:port>", "control port, JSON over HTTP", (text) => (text.includes("/") ? text : hostPort(text)))
  .option("--seed <number>", "start of the random numbers", integer, 1)
  .addOption(new Option("--delays <profile>", "how long things take").choices(Object.keys(delayProfiles)).default("fast"))
  .option("--scripted-clock", "time stands still until POST /v1/advance");

const { seed, delays, scriptedClock, ...doors } = program.parse().opts<Options>();
const simulator = new CloudSimulator({ seed, settings: { delays }, ...(scriptedClock === true ? { clock: new ScriptedClock() } : {}) });
const { close: _, ...addresses } = await listen(simulator, doors);
process.stdout.write(`${JSON.stringify({ ready: true, ...addresses })}\n`);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    void simulator.close().then(() => process.exit(0));
  });
}
