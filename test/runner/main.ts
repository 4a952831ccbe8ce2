import { parseArgs } from "node:util";
import { cargoTests } from "./cargo.ts";
import { jsonProgram } from "./json-tier.ts";
import type { TestResult, TierResult } from "./result.ts";
import { judgeSkips } from "./skips.ts";
import { staticChecks } from "./static.ts";
import { vitestProject } from "./vitest.ts";

const minute = 60_000;

/** The tiers in the order of what they need; see docs/testing.md. */
const tiers: Readonly<Record<string, () => Promise<TestResult[]>>> = {
  static: () => staticChecks(({ name, status, durationMs }) => progress(`${name}: ${status}${seconds(durationMs)}`)),
  unit: async () => [...(await cargoTests("Rust", ["--workspace", "--lib", "--bins"])), ...(await vitestProject("unit"))],
  executable: () => cargoTests("CNI executable", ["-p", "terway-cni", "--test", "*"]),
  netns: async () => [
    ...(await cargoTests("datapath", ["-p", "terway-datapath", "-p", "terway-lab-agent", "-p", "terway-floor", "--test", "*"])),
    ...(await vitestProject("netns")),
  ],
  cloud: () => vitestProject("cloud"),
  daemon: () => vitestProject("daemon"),
  node: () => vitestProject("node"),
  bench: () => jsonProgram("bench smoke", "node", ["bench/main.ts", "add", "--smoke"], 5 * minute),
  vm: () => jsonProgram("guest", "node", ["test/vm/run.ts"], 25 * minute),
};

const { values } = parseArgs({
  options: { tier: { type: "string", multiple: true }, help: { type: "boolean", short: "h" } },
});
if (values.help) {
  console.log(`usage: npm test [-- --tier NAME …]\n\ntiers: ${Object.keys(tiers).join(", ")}`);
  process.exit(0);
}
const unknown = values.tier?.filter((name) => !(name in tiers)) ?? [];
if (unknown.length > 0) {
  console.error(`unknown tier ${unknown.join(", ")}; there are ${Object.keys(tiers).join(", ")}`);
  process.exit(2);
}

const finished: TierResult[] = [];
for (const [tier, execute] of Object.entries(tiers)) {
  if (values.tier && !values.tier.includes(tier)) continue;
  console.log(`\n== ${tier}`);
  const started = performance.now();
  const raw = await execute().catch((error: unknown): TestResult[] => [{ name: tier, status: "failed", reason: String(error) }]);
  const results = raw.length > 0 ? await judgeSkips(raw) : [{ name: tier, status: "failed" as const, reason: "the tier ran no test" }];
  const done: TierResult = { tier, results, durationMs: performance.now() - started };
  finished.push(done);
  for (const result of results) {
    if (result.status === "failed") console.log(`FAILED  ${result.name}\n${indent(result.reason ?? "")}`);
    if (result.status === "skipped") console.log(`skipped ${result.name}: ${result.reason}`);
  }
  console.log(summary(tier, done));
}

console.log("\n== all tiers");
for (const tier of finished) console.log(summary(tier.tier.padEnd(11), tier));
const all = finished.flatMap((tier) => tier.results);
for (const result of all) if (result.status === "failed") console.log(`FAILED  ${result.name}`);
console.log(`\n${count(all, "passed")} passed, ${count(all, "failed")} failed, ${count(all, "skipped")} skipped`);
process.exitCode = count(all, "failed") === 0 ? 0 : 1;

function count(results: readonly TestResult[], status: TestResult["status"]): number {
  return results.filter((result) => result.status === status).length;
}

function summary(label: string, { results, durationMs }: TierResult): string {
  const parts = (["passed", "failed", "skipped"] as const).map((status) => `${count(results, status)} ${status}`);
  return `${label}: ${parts.join(" / ")}${seconds(durationMs)}`;
}

function seconds(durationMs: number | undefined): string {
  return durationMs === undefined ? "" : ` (${(durationMs / 1000).toFixed(1)} s)`;
}

function progress(text: string): void {
  console.log(`  ${text}`);
}

function indent(text: string): string {
  return text.replace(/^/gm, "    ");
}
