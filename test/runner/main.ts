import { parseArgs } from "node:util";
import type { TestResult, TierResult } from "./result.ts";
import { judgeSkips } from "./skips.ts";
import { lanes, last, type Tier } from "./tiers.ts";

const { values } = parseArgs({
  options: {
    tier: { type: "string", multiple: true },
    times: { type: "boolean" },
    long: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
});
const length = values.long ? "long" : "short";
const [command, otherCommand] = values.long ? ["npm run test:long", "npm test"] : ["npm test", "npm run test:long"];
const names = [...lanes.flat(), last].filter(({ run }) => run[length] !== undefined).map(({ name }) => name);
if (values.help) {
  console.log(
    `usage: ${command} [-- --tier NAME …] [--times]

tiers: ${names.join(", ")}
--times: of each tier the ten tests that took longest, too

The ${length} tests; \`${otherCommand}\` has the others.`,
  );
  process.exit(0);
}
const unknown = values.tier?.filter((name) => !names.includes(name)) ?? [];
if (unknown.length > 0) {
  console.error(`unknown tier ${unknown.join(", ")}; ${command} has ${names.join(", ")}`);
  process.exit(2);
}

const isWanted = ({ name }: Tier) => (values.tier ?? names).includes(name);
const wanted = lanes.map((lane) => lane.filter(isWanted));
console.log("\nRunning the tiers, side by side where they leave each other alone; each reports when it is done:");
const perLane = await Promise.all(
  wanted.map(async (lane) => {
    const done: TierResult[] = [];
    for (const tier of lane) done.push(await runTier(tier));
    return done;
  }),
);
const finished = perLane.flat();
if (isWanted(last)) finished.push(await runTier(last));

console.log("\n== all tiers");
for (const tier of finished) console.log(summary(tier.tier.padEnd(11), tier));
const all = finished.flatMap((tier) => tier.results.map((result) => ({ tier: tier.tier, ...result })));
for (const result of all) if (result.status === "failed") console.log(`FAILED  ${result.tier}: ${result.name}`);
console.log(`\n${count(all, "passed")} passed, ${count(all, "failed")} failed, ${count(all, "skipped")} skipped`);
process.exitCode = count(all, "failed") === 0 ? 0 : 1;

/** Runs a tier and prints its outcome as one block, so that lanes do not mix their lines. */
async function runTier({ name, run }: Tier): Promise<TierResult> {
  const started = performance.now();
  const raw = (await run[length]?.().catch((error: unknown): TestResult[] => [{ name, status: "failed", reason: String(error) }])) ?? [];
  const results = raw.length > 0 ? await judgeSkips(raw) : [{ name, status: "failed" as const, reason: "the tier ran no test" }];
  const done: TierResult = { tier: name, results, durationMs: performance.now() - started };
  const lines = [`\n== ${summary(name, done)}`];
  for (const result of results) {
    if (result.status === "failed") lines.push(`FAILED  ${result.name}`, (result.reason ?? "").replace(/^/gm, "    "));
    if (result.status === "skipped") lines.push(`skipped ${result.name}: ${result.reason}`);
    if (result.note !== undefined) lines.push(`note    ${result.name}`, result.note.replace(/^/gm, "    "));
  }
  if (values.times) lines.push(...slowest(results));
  console.log(lines.join("\n"));
  return done;
}

function slowest(results: readonly TestResult[]): string[] {
  const timed = results.flatMap(({ name, durationMs }) => (durationMs === undefined ? [] : [{ name, durationMs }]));
  timed.sort((one, other) => other.durationMs - one.durationMs);
  return timed.slice(0, 10).map(({ name, durationMs }) => `${(durationMs / 1000).toFixed(1).padStart(7)} s  ${name}`);
}

function count(results: readonly TestResult[], status: TestResult["status"]): number {
  return results.filter((result) => result.status === status).length;
}

function summary(label: string, { results, durationMs }: TierResult): string {
  const parts = (["passed", "failed", "skipped"] as const).map((status) => `${count(results, status)} ${status}`);
  return `${label}: ${parts.join(" / ")} (${(durationMs / 1000).toFixed(1)} s)`;
}
