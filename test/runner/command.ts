import { spawn } from "node:child_process";

export interface CommandOutcome {
  readonly code: number;
  readonly output: string;
  readonly durationMs: number;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Called with every piece of output, for programs that report their own progress. */
  readonly onOutput?: (text: string) => void;
}

/** Runs a program to its end in its own process group, which is ended as a whole when the time is up. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandOutcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env }, detached: true });
    const chunks: Buffer[] = [];
    const collect = (chunk: Buffer) => {
      chunks.push(chunk);
      options.onOutput?.(chunk.toString());
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timeoutMs = options.timeoutMs ?? 20 * 60_000;
    const timer = setTimeout(() => {
      chunks.push(Buffer.from(`\nended: not done after ${timeoutMs / 1000} s\n`));
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, timeoutMs);
    const finish = (code: number) => {
      clearTimeout(timer);
      resolve({ code, output: Buffer.concat(chunks).toString(), durationMs: performance.now() - started });
    };
    child.on("error", (error) => {
      chunks.push(Buffer.from(`${command}: ${error.message}\n`));
      finish(127);
    });
    child.on("close", (code) => finish(code ?? 1));
  });
}

/** The last lines of an output, as the reason of a failure. */
export function tail(output: string, lines = 25): string {
  return output.trimEnd().split("\n").slice(-lines).join("\n");
}
