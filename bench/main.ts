import { mkdir, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { markdown, validate } from "./add/report.ts";
import { fullOptions, runAdd, smokeOptions } from "./add/run.ts";

const help = `usage: npm run bench -- add [--smoke] [--json FILE]

  add       ADD and DEL through the real executable and daemon, beside a floor and beside ptp → bench/results/add.{json,md}
  --smoke   a few calls only: shows that it runs and that the result has its form; writes no result
  --json    for the test runner: the outcome as one test`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { smoke: { type: "boolean" }, json: { type: "string" }, help: { type: "boolean", short: "h" } },
});
if (values.help || positionals.length !== 1 || positionals[0] !== "add") {
  console.log(help);
  process.exit(values.help ? 0 : 2);
}

const started = performance.now();
const outcome = await bench().then(
  () => ({ status: "passed" }),
  (error: unknown) => ({ status: "failed", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
);
if (values.json !== undefined) {
  const durationMs = performance.now() - started;
  const name = "add runs and its result matches the schema";
  await writeFile(values.json, JSON.stringify({ results: [{ name, durationMs, ...outcome }] }));
}
if ("reason" in outcome) {
  console.error(outcome.reason);
  process.exitCode = 1;
}

async function bench(): Promise<void> {
  const say = (line: string) => console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  const result = await runAdd(values.smoke ? smokeOptions : fullOptions, say);
  await validate(result);
  console.log(`\n${markdown(result)}`);
  if (values.smoke) return;
  const folder = new URL("./results/", import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(new URL("add.json", folder), `${JSON.stringify(result)}\n`);
  await writeFile(new URL("add.md", folder), markdown(result));
}
