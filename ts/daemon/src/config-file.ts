import { readFile } from "node:fs/promises";
import { type Clock, type ConfigIssue, type EniConf, type EniConfResult, formatIssue, parseEniConf } from "@terway/model";
import type { Logger } from "./log.ts";

/** A mounted ConfigMap is swapped under the path; looking is cheaper than following its symbolic links. */
const periodMs = 5_000;

/** Reads `eni_conf`. Throws what the file system says; what is wrong inside is a value. */
export async function readConfigFile(path: string): Promise<{ text: string; result: EniConfResult }> {
  const text = await readFile(path, "utf8");
  return { text, result: parseEniConf(text) };
}

export function describeProblems(path: string, issues: readonly ConfigIssue[]): string[] {
  return issues.map((issue) => `${path}: ${formatIssue(issue)}`);
}

/** Follows the file while the daemon runs: a good change is handed on, a bad one is told once and the last good one stays. */
export async function watchConfigFile(
  path: string,
  first: string,
  options: {
    readonly clock: Clock;
    readonly log: Logger;
    readonly signal: AbortSignal;
    readonly onChange: (conf: EniConf, warnings: readonly ConfigIssue[]) => void;
    readonly onBroken: (problems: readonly string[]) => void;
  },
): Promise<void> {
  let last = first;
  while (!options.signal.aborted) {
    try {
      await options.clock.sleep(periodMs, options.signal);
    } catch {
      return;
    }
    const read = await readConfigFile(path).catch((error: unknown) => {
      options.log.debug({ err: error, path }, "configuration cannot be read at the moment");
      return undefined;
    });
    if (read === undefined || read.text === last) continue;
    last = read.text;
    if (read.result.ok) options.onChange(read.result.config, read.result.warnings);
    else options.onBroken(describeProblems(path, read.result.errors));
  }
}
