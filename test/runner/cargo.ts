import { run, tail } from "./command.ts";
import type { Length, TestResult } from "./result.ts";
import { withSecondTry } from "./second-try.ts";

/** `test NAME ... ok`; with doc tests and should_panic marks left in the name. */
const resultLine = /^test (.+?) \.\.\. (ok|FAILED|ignored(?:, (.*))?)$/;
/** A test that finds its kernel or its rights wanting prints this and returns; it counts as skipped, not as passed. */
const skipLine = /^SKIP ([^:]+(?:::[^:]+)*): (.+)$/;
const binaryLine = /Running .*\(.*\/deps\/([A-Za-z0-9_-]+)-[0-9a-f]+\)|Doc-tests (\S+)/;
const failureHead = /^---- (.+?) stdout ----$/;

/** Reads the plain output of libtest (`--show-output`), the only form that stable Rust offers. What is ignored for being long is no result. */
export function parseLibtest(output: string): TestResult[] {
  const results: { name: string; status: TestResult["status"]; reason?: string; test: string }[] = [];
  const skips = new Map<string, string>();
  const failures = new Map<string, string[]>();
  let binary = "";
  let failing: string[] | undefined;
  for (const line of output.split("\n")) {
    const head = failureHead.exec(line);
    if (head?.[1] !== undefined) {
      failing = [];
      failures.set(`${binary}::${head[1]}`, failing);
      continue;
    }
    if (/^(failures|successes):$/.test(line) || line === "") failing = line === "" ? failing : undefined;
    else failing?.push(line);

    const started = binaryLine.exec(line);
    if (started) {
      binary = started[1] ?? `doc ${started[2]}`;
      failing = undefined;
    }
    const skipped = skipLine.exec(line.trim());
    if (skipped?.[1] !== undefined && skipped[2] !== undefined) skips.set(`${binary}::${skipped[1].trim()}`, skipped[2]);
    const result = resultLine.exec(line);
    if (!result?.[1] || result[3] === "long") continue;
    const status = result[2] === "ok" ? "passed" : result[2] === "FAILED" ? "failed" : "skipped";
    results.push({
      name: `${binary}::${result[1]}`,
      test: result[1],
      status,
      ...(status === "skipped" ? { reason: result[3] ?? "ignored" } : {}),
    });
  }
  return results.map(({ name, status, reason, test }) => {
    const skip = [...skips].find(([key]) => key === name || key === `${name.split("::")[0]}::${test.split("::").at(-1)}`)?.[1];
    if (status === "passed" && skip !== undefined) return { name, status: "skipped" as const, reason: skip };
    if (status === "failed") return { name, status, reason: failures.get(name)?.slice(0, 20).join("\n") ?? "see the output" };
    return reason === undefined ? { name, status } : { name, status, reason };
  });
}

/** Runs the short or the long ones of `cargo test` with these arguments; a build that fails is one failed test. */
export async function cargoTests(label: string, args: readonly string[], length: Length): Promise<TestResult[]> {
  const outcome = await libtest(args, length === "long" ? ["--ignored"] : []);
  const results = parseLibtest(outcome.output);
  if (outcome.code !== 0 && !results.some((result) => result.status === "failed"))
    results.push({ name: `${label}: build`, status: "failed", reason: tail(outcome.output, 40) });
  return results;
}

/** `cargoTests` for tests with real time: what failed runs once more. */
export async function cargoTestsTwice(label: string, args: readonly string[], length: Length): Promise<TestResult[]> {
  const first = await cargoTests(label, args, length);
  const failed = first.flatMap(({ name, status }) => (status === "failed" ? name.split("::").slice(1).join("::") || [] : []));
  if (failed.length === 0) return first;
  return withSecondTry(first, parseLibtest((await libtest(args, ["--include-ignored", "--exact", ...failed])).output));
}

function libtest(args: readonly string[], flags: readonly string[]): ReturnType<typeof run> {
  return run("cargo", ["test", "--locked", "--no-fail-fast", "--color=never", ...args, "--", "--show-output", ...flags]);
}
