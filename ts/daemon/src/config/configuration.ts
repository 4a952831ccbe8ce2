import {
  type CniConf,
  type ConfigIssue,
  type EniConf,
  type EniConfResult,
  formatIssue,
  mergePatch,
  parseEniConf,
  parseEniConfValue,
  parseJsonText,
} from "@terway/model";
import { type ConflistSource, renderConflist } from "../conflist.ts";

/** A text and where people find it. */
export interface ConfigText {
  readonly where: string;
  readonly text: string;
}

/** Configuration as it was written. */
export interface ConfigTexts {
  readonly eniConf: ConfigText;
  /** Merged into `eni_conf` by RFC 7396. */
  readonly override?: ConfigText;
  /** `10-terway.conflist`, or `10-terway.conf`. */
  readonly conflist?: ConflistSource;
  readonly disableNetworkPolicy?: string;
}

/** What is in force. */
export interface Configuration {
  readonly texts: ConfigTexts;
  readonly conf: EniConf;
  /** Our own plugin's part of the chain. */
  readonly cniConf: CniConf;
  /** NetworkPolicies are enforced. */
  readonly networkPolicy: boolean;
  /** Complete sentences. */
  readonly warnings: readonly string[];
}

export type ConfigurationResult =
  | { readonly ok: true; readonly configuration: Configuration }
  /** Each with its place and path. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Where configuration comes from. */
export interface ConfigSource {
  /** The first that can be used. Undefined when the signal ends the wait for one. */
  first(signal: AbortSignal): Promise<Configuration | undefined>;
  /** Each later one; what cannot be used is told once, and the last good one stays. Ends with the signal. */
  follow(
    handlers: { onChange(configuration: Configuration): void; onBroken(problems: readonly string[]): void },
    signal: AbortSignal,
  ): Promise<void>;
}

/** Reads configuration. All problems at once. Pure. */
export function parseConfiguration(texts: ConfigTexts): ConfigurationResult {
  const eniConf = parseMerged(texts);
  const conflist = renderConflist(texts.conflist);
  const problems = [
    ...(eniConf.ok ? [] : eniConf.errors.map((issue) => `${eniConf.where}: ${formatIssue(issue)}`)),
    ...(conflist.ok ? [] : conflist.problems),
  ];
  if (!eniConf.ok || !conflist.ok) return { ok: false, problems };
  const warnings = [
    ...eniConf.warnings.map((issue) => `${eniConf.where}: ${formatIssue(issue)}`),
    ...conflist.warnings.map((issue) => `${texts.conflist?.path ?? "10-terway.conf"}: ${formatIssue(issue)}`),
  ];
  // Upstream's reading: what is not one of these switches policy off.
  const networkPolicy = ["", "0", "false"].includes(texts.disableNetworkPolicy ?? "");
  return { ok: true, configuration: { texts, conf: eniConf.config, cniConf: conflist.config, networkPolicy, warnings } };
}

function parseMerged({ eniConf, override }: ConfigTexts): EniConfResult & { readonly where: string } {
  const { where, text } = eniConf;
  if (override === undefined) return { ...parseEniConf(text), where };
  const base = parseJsonText(text);
  const patch = parseJsonText(override.text);
  if (!base.ok) return { ...broken(base), where };
  if (!patch.ok) return { ...broken(patch), where: override.where };
  return { ...parseEniConfValue(mergePatch(base.value, patch.value)), where: `${where} merged with ${override.where}` };
}

function broken({ line, column, message }: { readonly line: number; readonly column: number; readonly message: string }) {
  const issue: ConfigIssue = { path: "", code: "syntax", line, column, message: `eni_conf is no JSON: ${message}.` };
  return { ok: false as const, errors: [issue], warnings: [] };
}
