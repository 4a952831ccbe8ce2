import { readFile } from "node:fs/promises";
import { type Clock, type ConfigIssue, formatIssue, WrongConfiguration } from "@terway/model";
import type { Logger } from "../log.ts";
import { type CtrlConfig, type CtrlSecret, type DegradationConfig, type Parsed, parseCtrlConfig, parseCtrlSecret } from "./ctrl-config.ts";

/** A mounted ConfigMap is swapped under the path; looking is cheaper than following its symbolic links. */
const periodMs = 5_000;

export interface Configuration {
  readonly config: CtrlConfig;
  readonly secret: CtrlSecret;
  readonly warnings: readonly string[];
}

/** Both files. A missing file of credentials is none; throws {@link WrongConfiguration}. */
export async function readConfiguration(files: { readonly config: string; readonly credential: string }): Promise<Configuration> {
  const text = await readFile(files.config, "utf8").catch((error: unknown) => {
    throw new WrongConfiguration([`${files.config}: ${error instanceof Error ? error.message : String(error)}`]);
  });
  const secretText = await readFile(files.credential, "utf8").catch(() => "");
  const [config, secret] = [parseCtrlConfig(text), parseCtrlSecret(secretText)];
  const problems = [...problemsOf(files.config, config), ...problemsOf(files.credential, secret)];
  if (!config.ok || !secret.ok) throw new WrongConfiguration(problems);
  const warnings = [...linesOf(files.config, config.warnings), ...linesOf(files.credential, secret.warnings)];
  return { config: config.value, secret: secret.value, warnings };
}

const linesOf = (path: string, issues: readonly ConfigIssue[]) => issues.map((issue) => `${path}: ${formatIssue(issue)}`);
const problemsOf = (path: string, parsed: Parsed<unknown>) => (parsed.ok ? [] : linesOf(path, parsed.errors));

/** Follows `degradation`, the one key that counts while the program runs. A file that cannot be read changes nothing. */
export async function followDegradation(
  path: string,
  parts: { readonly clock: Clock; readonly log: Logger; readonly onChange: (degradation: DegradationConfig) => void },
  signal: AbortSignal,
): Promise<void> {
  let last = "";
  while (!signal.aborted) {
    await parts.clock.sleep(periodMs, signal).catch(() => {});
    if (signal.aborted) return;
    const text = await readFile(path, "utf8").catch(() => last);
    if (text === last) continue;
    last = text;
    const parsed = parseCtrlConfig(text);
    if (parsed.ok) parts.onChange(parsed.value.degradation);
    else parts.log.warn(`${path} is not used: ${problemsOf(path, parsed).join("; ")}`);
  }
}
