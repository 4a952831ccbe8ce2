import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export type OnOutcome = (passed: boolean, spec: string) => void;

/**
 * Reads from what Ginkgo says, as it says it, what has become of each spec: a line with the outcome and the time, and below it the spec's name with the
 * kind of node that failed and the labels.
 */
export async function outcomes(output: Readable, onOutcome: OnOutcome): Promise<void> {
  let passed: boolean | undefined;
  for await (const line of createInterface({ input: output })) {
    if (passed !== undefined) onOutcome(passed, line.replace(/ \[It\]/, "").replace(/ \[[^[\]]*\]$/, ""));
    passed = /^• \[[\d.]+ seconds\]/.test(line) ? true : /^• \[.*seconds\]/.test(line) ? false : undefined;
  }
}
