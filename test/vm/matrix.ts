import type { TestResult } from "../runner/result.ts";

/** What a mode needs of a kernel, by the names of the datapath's probe. */
const needs = {
  policy_route: ["veth"],
  tag_filter: ["clsBpf"],
  ipvlan: ["ipvlan"],
  vlan: ["vlan"],
  exclusive: ["veth"],
  netkit: ["netkit"],
} as const;
type Mode = keyof typeof needs;
const modes = Object.keys(needs) as Mode[]; // the keys of a literal
const families = ["v4", "v6", "dual"] as const;
type Family = (typeof families)[number];

/** One kernel's results and what its probe said: nothing where it can do a thing, the reason where it cannot. */
export interface KernelRun {
  readonly kernel: string;
  /** `uname -r`, from the probe. */
  readonly release: string;
  readonly features: ReadonlyMap<string, string | undefined>;
  readonly results: readonly TestResult[];
}

/** What tests/probe.rs printed: `@feature NAME available` or `@feature NAME lacking: REASON`, and `@release RELEASE`. */
export function readProbe(output: string): Pick<KernelRun, "release" | "features"> {
  const lines = [...output.matchAll(/^@feature (\w+) (?:available|lacking: (.*))$/gm)];
  return {
    release: /^@release (\S+)$/m.exec(output)?.[1] ?? "unknown",
    features: new Map(lines.map(([, name, reason]) => [name ?? "", reason])),
  };
}

/** A test names its mode first, or last where it is about something that every mode has. */
function modeOf(test: string): Mode | undefined {
  return modes.find((each) => test.startsWith(`${each}_`) || test.endsWith(`_${each}`));
}

function place(name: string): { mode: Mode; family: Family } | undefined {
  const test = name.split("::").at(-1) ?? "";
  const mode = modeOf(test);
  const family = families.find((each) => mode !== undefined && test.startsWith(`${mode}_${each}_`));
  return mode === undefined || family === undefined ? undefined : { mode, family };
}

/** Why the kernel cannot do a mode, by its own probe. */
function lacking(run: KernelRun, mode: Mode): string | undefined {
  for (const feature of needs[mode]) {
    if (run.features.has(feature) && run.features.get(feature) !== undefined) return `${feature}: ${run.features.get(feature)}`;
  }
  return undefined;
}

/** The results without the skips that the probe of the same run accounts for. */
export function withoutProvenSkips(run: KernelRun): TestResult[] {
  return run.results.filter((result) => {
    const mode = modeOf(result.name.split("::").at(-1) ?? "");
    return result.status !== "skipped" || mode === undefined || lacking(run, mode) === undefined;
  });
}

export type Cell =
  | { readonly kind: "passed"; readonly tests: number }
  | { readonly kind: "failed"; readonly names: readonly string[] }
  | { readonly kind: "unavailable"; readonly reason: string }
  /** No test has this mode and family, or those there are were skipped for other reasons. */
  | { readonly kind: "untested" };

export function cell(run: KernelRun, mode: Mode, family: Family): Cell {
  const own = run.results.filter(({ name }) => {
    const where = place(name);
    return where?.mode === mode && where.family === family;
  });
  const failed = own.filter(({ status }) => status === "failed");
  if (failed.length > 0) return { kind: "failed", names: failed.map(({ name }) => name) };
  const passed = own.filter(({ status }) => status === "passed");
  if (passed.length > 0) return { kind: "passed", tests: passed.length };
  const reason = lacking(run, mode);
  return reason === undefined ? { kind: "untested" } : { kind: "unavailable", reason };
}

/** Mode × family down, kernels across, with what the probes said below. */
export function matrixTables(runs: readonly KernelRun[]): string {
  const text = (each: Cell) =>
    each.kind === "passed"
      ? `${each.tests} passed`
      : each.kind === "failed"
        ? `**${each.names.length} FAILED**`
        : each.kind === "unavailable"
          ? "not available"
          : "–";
  const head = ["mode", "family", ...runs.map(({ release }) => release)];
  const rows = modes.flatMap((mode) => families.map((family) => [mode, family, ...runs.map((run) => text(cell(run, mode, family)))]));
  const reasons = modes.flatMap((mode) =>
    runs.flatMap((run) => {
      const reason = lacking(run, mode);
      return reason === undefined ? [] : [`| ${mode} | ${run.release} | ${reason.replaceAll("|", "\\|")} |`];
    }),
  );
  const failed = runs.flatMap(({ release, results }) =>
    results.filter(({ status }) => status === "failed").map(({ name }) => `- ${release}: \`${name}\``),
  );
  const line = (words: readonly string[]) => `| ${words.join(" | ")} |`;
  return `${line(head)}
${line(head.map(() => "---"))}
${rows.map(line).join("\n")}

What the kernels lack, in their own words:

| mode | kernel | probe |
|---|---|---|
${reasons.join("\n")}${failed.length === 0 ? "" : `\n\nWhat failed:\n\n${failed.join("\n")}`}`;
}
