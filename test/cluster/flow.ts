import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { inNetNamespace } from "@terway/lab";
import { z } from "zod";

const outcomeSchema = z.object({ sent: z.number(), received: z.number(), longestGapMs: z.number(), error: z.string().optional() });
export type FlowOutcome = z.infer<typeof outcomeSchema>;

/** A long-lived connection out of a network namespace. */
export class Flow {
  readonly #child: ChildProcess;
  #output = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
    });
  }

  /** Resolves when the connection stands. */
  static async open(netns: string, address: string, port = 7): Promise<Flow> {
    const program = fileURLToPath(new URL("./flow-client.ts", import.meta.url));
    const [file = "", ...args] = inNetNamespace(netns, [process.execPath, program, address, String(port)]);
    const flow = new Flow(spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] }));
    await new Promise<void>((resolve, reject) => {
      flow.#child.stdout?.once("data", () => resolve());
      flow.#child.once("error", reject);
      flow.#child.once("close", () => reject(new Error(`no connection to ${address}: ${flow.#output}`)));
    });
    if (!flow.#output.startsWith("connected")) throw new Error(`no connection to ${address}: ${flow.#output}`);
    return flow;
  }

  /** Ends it; what was lost shows as fewer lines received than sent, but for the last ones, which were still on their way. */
  async close(): Promise<FlowOutcome> {
    const ended = new Promise<void>((resolve) => {
      if (this.#child.exitCode !== null) resolve();
      this.#child.once("close", () => resolve());
    });
    this.#child.kill("SIGTERM");
    await ended;
    return outcomeSchema.parse(JSON.parse(this.#output.trimEnd().split("\n").at(-1) ?? ""));
  }
}
