import { mkdir, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { add } from "./add/bench.ts";
import type { Bench } from "./bench.ts";
import { instructions } from "./instructions/bench.ts";
import { ipam } from "./ipam/bench.ts";
import { memory } from "./memory/bench.ts";
import { path } from "./path/bench.ts";
import { policy } from "./policy/bench.ts";
import { policyPath } from "./policy-path/bench.ts";
import { rules } from "./rules/bench.ts";
import { validate } from "./validate.ts";

const benches: readonly Bench[] = [add, path, instructions, policy, policyPath, rules, ipam, memory];
const help = `usage: npm run bench -- BENCH [--mode MODE] [--smoke] [--json FILE]

${benches.map(({ name, about }) => `  ${name.padEnd(12)} ${about} → bench/results/${name}.*`).join("\n")}
  --mode    ${benches.flatMap(({ name, modes }) => (modes === undefined ? [] : [`of ${name}: ${modes.join(", ")}`])).join("; ")} → bench/results/<bench>.<mode>.*
  --smoke   a little of everything: shows that it runs and that the result has its form; writes no result
  --json    for the test runner: the outcome as one test`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { smoke: { type: "boolean" }, mode: { type: "string" }, json: { type: "string" }, help: { type: "boolean", short: "h" } },
});
const { mode } = values;
const chosen = benches.find(({ name, modes }) => name === positionals[0] && (mode === undefined || modes?.includes(mode)));
if (values.help || positionals.length !== 1 || chosen === undefined) {
  console.log(help);
  process.exit(values.help ? 0 : 2);
}

const started = performance.now();
const outcome = await measure(chosen).then(
  () => ({ status: "passed" }),
  (error: unknown) => ({ status: "failed", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
);
if (values.json !== undefined) {
  const durationMs = performance.now() - started;
  const name = `${chosen.name}${mode === undefined ? "" : ` in mode ${mode}`} runs and its result matches the schema`;
  await writeFile(values.json, JSON.stringify({ results: [{ name, durationMs, ...outcome }] }));
}
if ("reason" in outcome) {
  console.error(outcome.reason);
  process.exitCode = 1;
}

async function measure(bench: Bench): Promise<void> {
  const say = (line: string) => console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  const { result, files } = await bench.run(values.smoke ?? false, say, mode);
  await validate(bench.name, result);
  console.log(`\n${files.md}`);
  if (values.smoke) return;
  const folder = new URL("./results/", import.meta.url);
  await mkdir(folder, { recursive: true });
  const name = mode === undefined || mode === bench.modes?.[0] ? bench.name : `${bench.name}.${mode}`;
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(result)}\n`);
  for (const [ending, text] of Object.entries(files)) await writeFile(new URL(`${name}.${ending}`, folder), text);
}
