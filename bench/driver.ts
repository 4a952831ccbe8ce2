import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";

export interface Call {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

const outcomeSchema = z.object({ ns: z.number(), exit: z.number(), output: z.string().optional() });
const reportSchema = z.union([z.object({ wall_ns: z.number(), outcomes: z.array(outcomeSchema) }), z.object({ error: z.string() })]);

export interface BatchResult {
  readonly wallMs: number;
  /** Milliseconds of each call, in the order of the calls. */
  readonly samplesMs: readonly number[];
}

export interface Driver {
  /** Makes all calls, `parallel` at a time; rejects when one of them fails, with its output. */
  batch(parallel: number, calls: readonly Call[]): Promise<BatchResult>;
  close(): void;
}

/** Starts the driver by this command line; it stays for the whole run. */
export function startDriver([command = "", ...args]: readonly string[]): Driver {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async batch(parallel, calls) {
      child.stdin.write(`${JSON.stringify({ parallel, calls })}\n`);
      const line = await lines.next();
      if (line.done) throw new Error("the bench driver ended");
      const report = reportSchema.parse(JSON.parse(line.value));
      if ("error" in report) throw new Error(`the bench driver refused the batch: ${report.error}`);
      const failed = report.outcomes.findIndex(({ exit }) => exit !== 0);
      if (failed >= 0)
        throw new Error(`${calls[failed]?.argv.join(" ")} exited ${report.outcomes[failed]?.exit}: ${report.outcomes[failed]?.output}`);
      return { wallMs: report.wall_ns / 1e6, samplesMs: report.outcomes.map(({ ns }) => ns / 1e6) };
    },
    close: () => child.stdin.end(),
  };
}
