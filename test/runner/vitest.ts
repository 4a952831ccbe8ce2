import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { z } from "zod";
import { run, tail } from "./command.ts";
import type { Length, TestResult } from "./result.ts";
import { passedAtSecondTry } from "./second-try.ts";

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.enum(["passed", "failed", "skipped", "pending", "todo", "disabled"]),
          duration: z.number().nullish(),
          failureMessages: z.array(z.string()).nullish(),
          tags: z.array(z.string()).default([]),
          meta: z.object({ skipReason: z.string().optional() }).loose().optional(),
        }),
      ),
    }),
  ),
});

/** Runs the short or the long tests of one project of `vitest.config.ts` and reads its JSON report. A file that cannot be loaded is one failed test. */
export async function vitestProject(project: string, length: Length): Promise<TestResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "terway-vitest-"));
  const file = join(folder, "report.json");
  try {
    const flags = [
      `--project=${project}`,
      "--reporter=json",
      `--outputFile=${file}`,
      `--tags-filter=${length === "long" ? "long" : "!long"}`,
    ];
    // The lab's limits are there to notice what hangs; beside another lane, everything may take its time.
    const env = { TERWAY_LAB_PATIENCE: process.env.TERWAY_LAB_PATIENCE ?? "3" };
    const outcome = await run("node", ["node_modules/vitest/vitest.mjs", "run", ...flags], { env, timeoutMs: 40 * 60_000 });
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) return [{ name: `vitest ${project}`, status: "failed", reason: tail(outcome.output, 40) }];
    const results: TestResult[] = [];
    for (const suite of reportSchema.parse(JSON.parse(text)).testResults) {
      const path = relative(process.cwd(), suite.name);
      if (suite.assertionResults.length === 0 && suite.status === "failed")
        results.push({ name: path, status: "failed", reason: suite.message ?? "the file could not be loaded" });
      for (const test of suite.assertionResults) {
        // The others are there as skipped ones.
        if (test.tags.includes("long") !== (length === "long")) continue;
        const name = `${path} > ${test.fullName}`;
        const timing = test.duration == null ? {} : { durationMs: test.duration };
        const said = test.failureMessages?.join("\n") ?? "";
        if (test.status === "passed")
          results.push({ ...(said === "" ? { name, status: "passed" } : passedAtSecondTry(name, said)), ...timing });
        else if (test.status === "failed") results.push({ name, status: "failed", reason: said || "no message", ...timing });
        else results.push({ name, status: "skipped", reason: test.meta?.skipReason ?? "no reason given" });
      }
    }
    if (outcome.code !== 0 && !results.some((result) => result.status === "failed"))
      results.push({ name: `vitest ${project}`, status: "failed", reason: tail(outcome.output, 40) });
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
