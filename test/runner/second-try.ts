import type { TestResult } from "./result.ts";

/**
 * Tests with kernel objects and real time get a second try, as in `vitest.config.ts`: a machine that stood still for a moment is not a
 * fault of the project. What needed it is told, so that nobody overlooks a test that fails now and then.
 */
export function passedAtSecondTry(name: string, firstReason: string): TestResult {
  return { name, status: "passed", note: `passed at its second try; the first said:\n${firstReason}` };
}

/** Those of `first`, with what `second` says of the failed ones. */
export function withSecondTry(first: readonly TestResult[], second: readonly TestResult[]): TestResult[] {
  const passed = new Set(second.filter(({ status }) => status === "passed").map(({ name }) => name));
  return first.map((result) =>
    result.status === "failed" && passed.has(result.name) ? passedAtSecondTry(result.name, result.reason ?? "no reason") : result,
  );
}
