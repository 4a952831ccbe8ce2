import { readFile } from "node:fs/promises";
import { z } from "zod";
import { run } from "./command.ts";
import type { TestResult } from "./result.ts";

const allowedSkipSchema = z.object({
  /** Regular expression over the whole test name. */
  test: z.string(),
  reason: z.string(),
  /** Shell command that exits 0 where the reason holds; run in the same run. */
  probe: z.string(),
});
type AllowedSkip = z.infer<typeof allowedSkipSchema>;

/** Skips stand in `test/allowed-skips.json` with their reason and a probe that shows it; any other skip is a failure. */
export async function judgeSkips(results: readonly TestResult[], file = "test/allowed-skips.json"): Promise<TestResult[]> {
  const allowed = z.array(allowedSkipSchema).parse(JSON.parse(await readFile(file, "utf8")));
  const probes = new Map<AllowedSkip, Promise<boolean>>();
  const holds = (entry: AllowedSkip) => {
    const known = probes.get(entry) ?? run("bash", ["-c", entry.probe], { timeoutMs: 60_000 }).then(({ code }) => code === 0);
    probes.set(entry, known);
    return known;
  };
  return Promise.all(
    results.map(async (result) => {
      if (result.status !== "skipped") return result;
      const entry = allowed.find(({ test }) => new RegExp(test).test(result.name));
      if (!entry) return failed(result, `skipped (${result.reason}), which test/allowed-skips.json does not allow`);
      if (!(await holds(entry)))
        return failed(result, `skipped (${result.reason}), but the probe \`${entry.probe}\` finds no ground for it`);
      return { ...result, reason: entry.reason };
    }),
  );
}

function failed(result: TestResult, reason: string): TestResult {
  return { name: result.name, status: "failed", reason };
}
