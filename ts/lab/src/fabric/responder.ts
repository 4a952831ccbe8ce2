import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { inNetNamespace } from "../host/netns.ts";

const answerSchema = z.object({ ok: z.boolean(), error: z.string().optional() });

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/**
 * The one who answers every ARP request and Neighbour Solicitation of a VPC: `lab-agent respond` in the VPC's namespace. It ends when its
 * standard input does, and so never outlives the process that started it.
 */
export class Responder {
  readonly #child: ChildProcessWithoutNullStreams;
  /** Commands without an answer yet; answers come in the order of the commands. */
  readonly #waiting: Waiting[] = [];
  #ended: Error | undefined;

  constructor(options: { agent: string; netns: string; log: string }) {
    const [file = "", ...args] = inNetNamespace(options.netns, [options.agent, "respond"]);
    this.#child = spawn(file, args, { stdio: "pipe" });
    this.#child.stderr.pipe(createWriteStream(options.log, { flags: "a" }));
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (error) => this.#fail(error));
    this.#child.on("close", (code, signal) => this.#fail(new Error(`the VPC's responder ended (${signal ?? `exit status ${code}`})`)));
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#answer(line));
  }

  /** From now on answers on this port for every address but the ENI's own. */
  answerOn(port: string, ownAddresses: Iterable<string>): Promise<void> {
    return this.#send({ op: "port", ifname: port, own: [...ownAddresses] });
  }

  forget(port: string): Promise<void> {
    return this.#send({ op: "remove", ifname: port });
  }

  /** Resolves when the process has ended. */
  async stop(): Promise<void> {
    if (this.#ended !== undefined) return;
    const closed = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    this.#child.stdin.end();
    await closed;
  }

  #send(command: object): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    });
  }

  #answer(line: string): void {
    const answer = answerSchema.safeParse(JSON.parse(line));
    const waiting = this.#waiting.shift();
    if (answer.success && answer.data.ok) waiting?.resolve();
    else waiting?.reject(new Error(`the VPC's responder refused: ${answer.data?.error ?? line}`));
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }
}
