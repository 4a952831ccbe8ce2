import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { run, tail } from "./command.ts";
import type { TestResult } from "./result.ts";

const reportSchema = z.object({
  results: z.array(
    z.object({
      name: z.string(),
      status: z.enum(["passed", "failed", "skipped"]),
      reason: z.string().optional(),
      note: z.string().optional(),
      durationMs: z.number().optional(),
    }),
  ),
});

/** Runs a program that writes its results with `--json FILE` (the virtual machines, the bench smoke) and shows its own progress. */
export async function jsonProgram(label: string, command: string, args: readonly string[], timeoutMs: number): Promise<TestResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "terway-tier-"));
  const file = join(folder, "results.json");
  try {
    const outcome = await run(command, [...args, "--json", file], { timeoutMs });
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) return [{ name: label, status: "failed", reason: tail(outcome.output, 60) }];
    const results: TestResult[] = reportSchema.parse(JSON.parse(text)).results.map(({ name, status, reason, note, durationMs }) => ({
      name: `${label}: ${name}`,
      status,
      ...(reason === undefined ? {} : { reason }),
      ...(note === undefined ? {} : { note }),
      ...(durationMs === undefined ? {} : { durationMs }),
    }));
    if (outcome.code !== 0 && !results.some((result) => result.status === "failed"))
      results.push({ name: label, status: "failed", reason: tail(outcome.output, 60) });
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
