import { spawn } from "node:child_process";
import { patient } from "./patience.ts";

export interface CommandOptions {
  /** Written to standard input, which is closed then. */
  input?: string;
  env?: Readonly<Record<string, string>>;
  /** The command is killed after this long; default 30 s. */
  timeoutMs?: number;
  /** Exit codes that are no failure beside 0. */
  allow?: readonly number[];
}

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command ended badly. The message holds the command line and what it wrote. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly result: CommandResult;

  constructor(argv: readonly string[], result: CommandResult, why: string) {
    super(`${argv.join(" ")}: ${why}${result.stderr || result.stdout ? `: ${(result.stderr || result.stdout).trim()}` : ""}`);
    this.result = result;
  }
}

/** Runs a program without a shell and answers what it wrote. Throws {@link CommandError} when it fails, cannot start or takes too long. */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError("an empty command line");
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...options.env } });
    let stdout = "";
    let stderr = "";
    let late = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const timeoutMs = patient(options.timeoutMs ?? 30_000);
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(new CommandError(argv, { code: -1, stdout, stderr }, error.message));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const result = { code: code ?? -1, stdout, stderr };
      if (late) reject(new CommandError(argv, result, `killed after ${timeoutMs} ms`));
      else if (code === 0 || (code !== null && options.allow?.includes(code))) resolve(result);
      else reject(new CommandError(argv, result, code === null ? `ended by ${signal}` : `exit status ${code}`));
    });
    // A program that ends without reading its input is judged by its exit status, not by our broken pipe.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}
