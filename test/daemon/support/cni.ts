import { spawn } from "node:child_process";
import { join } from "node:path";
import { repositoryRoot } from "@terway/lab";

export interface CniAnswer {
  readonly exitCode: number;
  /** Parsed standard output; undefined when nothing was printed. */
  readonly output: Record<string, unknown> | undefined;
  readonly ms: number;
}

export interface CniInput {
  readonly verb: "ADD" | "DEL" | "CHECK" | "GC" | "STATUS";
  readonly socket: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifName?: string;
  readonly args?: string;
  readonly conf?: Readonly<Record<string, unknown>>;
}

/** Runs the real executable as a runtime does. */
export function callCni(input: CniInput): Promise<CniAnswer> {
  const conf = { cniVersion: "1.1.0", name: "terway-chainer", type: "terway", socket: input.socket, ...input.conf };
  const env: Record<string, string> = { CNI_COMMAND: input.verb, CNI_PATH: join(repositoryRoot, "dist/bin") };
  if (input.containerId !== undefined) env.CNI_CONTAINERID = input.containerId;
  if (input.netns !== undefined) env.CNI_NETNS = input.netns;
  if (input.ifName !== undefined) env.CNI_IFNAME = input.ifName;
  if (input.args !== undefined) env.CNI_ARGS = input.args;
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(join(repositoryRoot, "dist/bin/terway"), [], { env, stdio: ["pipe", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      const ms = performance.now() - started;
      // The executable prints one JSON object or nothing; anything else fails the test here.
      resolve({ exitCode: code ?? -1, output: text.trim() === "" ? undefined : (JSON.parse(text) as Record<string, unknown>), ms });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify(conf));
  });
}
