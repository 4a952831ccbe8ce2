import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { inNetNamespace, repositoryRoot, run } from "@terway/lab";
import { z } from "zod";

const program = join(repositoryRoot, "dist/bin/bench-driver");
const port = 7007;
const streamPort = 7008;
/** Client and server share it: on two processors the wake-ups between them hide what a path costs. */
const cpu = 1;

/** Where a client or a server can stand: the command line that leads there, and its address. */
export interface Place {
  readonly enter: (argv: readonly string[]) => readonly string[];
  readonly address: string;
}

/** A network namespace by its path. */
export function namespacePlace(netns: string, address: string): Place {
  return { address, enter: (argv) => inNetNamespace(netns, argv) };
}

const answerSchema = z.object({
  operations: z.number(),
  ns: z.number(),
  latency: z.object({ p50: z.number(), p90: z.number(), p99: z.number() }).nullish(),
});
const streamSchema = z.object({
  end: z.object({
    sum_received: z.object({ bits_per_second: z.number() }),
    cpu_utilization_percent: z.object({ host_total: z.number(), remote_total: z.number() }),
  }),
});

export interface Answer {
  /** Operations per second, or bits per second of a stream. */
  readonly rate: number;
  /** Percentiles of one operation, microseconds. */
  readonly latencyUs?: { readonly p50: number; readonly p90: number; readonly p99: number };
}

/** The answering side at a place: `bench-driver serve` and an iperf3 server; both go with `close`. */
export class Server {
  readonly place: Place;
  readonly #children: readonly ChildProcess[];

  private constructor(place: Place, children: readonly ChildProcess[]) {
    this.place = place;
    this.#children = children;
  }

  static async start(place: Place): Promise<Server> {
    const listen = formatEndpoint(place.address);
    const answering = launchServer(place, [program, "serve", "--listen", listen, "--cpu", String(cpu)]);
    const streaming = launchServer(place, [
      "iperf3",
      "--server",
      "--forceflush",
      "--bind",
      place.address,
      "--port",
      String(streamPort),
      "--affinity",
      String(cpu),
    ]);
    await Promise.all([firstOutput(answering), firstOutput(streaming)]);
    return new Server(place, [answering, streaming]);
  }

  close(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }
}

/** One measurement from one place to a server. */
export async function ask(from: Place, server: Server, kind: "rr" | "crr" | "udp", ms: number): Promise<Answer> {
  const argv = [program, "ask", "--kind", kind, "--to", formatEndpoint(server.place.address), "--ms", String(ms), "--cpu", String(cpu)];
  const { stdout } = await run(from.enter(argv), { timeoutMs: ms + 60_000 });
  const { operations, ns, latency } = answerSchema.parse(JSON.parse(stdout));
  const rate = operations / (ns / 1e9);
  if (latency == null) return { rate };
  return { rate, latencyUs: { p50: latency.p50 / 1e3, p90: latency.p90 / 1e3, p99: latency.p99 / 1e3 } };
}

/** Bytes one way over so many connections. The congestion control is named, since namespaces inherit whatever the machine has. */
export async function stream(from: Place, server: Server, connections: number, ms: number): Promise<Answer> {
  const { address } = server.place;
  const flags = ["--port", String(streamPort), "--bind", from.address, "--time", String(ms / 1000), "--parallel", String(connections)];
  const argv = ["iperf3", "--client", address, ...flags, "--affinity", String(cpu), "--congestion", "cubic", "--json"];
  const { stdout } = await run(from.enter(argv), { timeoutMs: ms + 60_000 });
  const { sum_received } = streamSchema.parse(JSON.parse(stdout)).end;
  return { rate: sum_received.bits_per_second };
}

function formatEndpoint(address: string): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** It ends with the command that leads to its place, which need not be the process itself: `nsenter` forks into a PID namespace. */
function launchServer(place: Place, argv: readonly string[]): ChildProcess {
  const [command = "", ...args] = place.enter(["setpriv", "--pdeathsig", "KILL", "--", ...argv]);
  return spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
}

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", (code) => reject(new Error(`a server of the bench ended with ${code}: ${child.spawnargs.join(" ")}`)));
  });
}
