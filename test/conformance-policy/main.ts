/**
 * The table of NetworkPolicy cases, each probed with real packets: `npm run test:conformance -- [options] [WORD ...]`. Only cases whose group and name hold
 * all the words are run.
 */
import { parseArgs } from "node:util";
import { cases } from "./cases/index.ts";
import { randomCases } from "./cases/random.ts";
import { Ground, type Stack } from "./ground.ts";
import { describe } from "./measure.ts";
import { type CaseResult, mistakes, runCase } from "./run.ts";
import { renderTable } from "./table.ts";
import { upstreamTable } from "./upstream.ts";

const usage = `usage: npm run test:conformance -- [--stack dual|ipv4|ipv6]... [--mode MODE] [--seed N] [--random N] [--without-enforcement] [WORD ...]
  --stack S               the pods' families; default: all three, one after another
  --mode MODE             eniip_virtual_type of the nodes, for example IPVlan or datapathv2; exclusive: every pod has an ENI of its own
  --seed N                of the random cases; default 1
  --random N              how many of them; default 40
  --without-enforcement   NetworkPolicy is not enforced: the table must fail, which shows that it can`;
/** Of one case, so that a broken product fills no screens. */
const shownMistakes = 8;

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    stack: { type: "string", multiple: true },
    mode: { type: "string" },
    seed: { type: "string", default: "1" },
    random: { type: "string", default: "40" },
    "without-enforcement": { type: "boolean" },
    help: { type: "boolean" },
  },
});
const stacks = (values.stack ?? ["dual", "ipv4", "ipv6"]).map(asStack);
const all = [...cases, ...randomCases(Number(values.random), Number(values.seed))];
const chosen = all.filter(({ group, name }) => words.every((word) => `${group}: ${name}`.includes(word)));
if (values.help === true || chosen.length === 0) {
  console.error(values.help === true ? usage : `no case has ${words.join(" and ")} in its name\n${usage}`);
  process.exit(values.help === true ? 0 : 2);
}
const exclusive = values.mode === "exclusive";
// Without the Services' addresses nothing goes past the stack.
const services = values.mode === "datapathv2" ? { service_cidr: "172.16.0.0/16,fd00:96::/112" } : {};
const conf = values.mode === undefined || exclusive ? {} : { eniip_virtual_type: values.mode, ...services };
const enforced = values["without-enforcement"] !== true;
// Whoever reads only the first lines (`| head`), or has seen enough, must not keep the rest from being cleared away.
process.stdout.on("error", () => {});
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    interrupted = true;
    process.exitCode = 130;
  });
}
for (const stack of stacks) if (!interrupted) await runStack(stack);
const upstream = await upstreamTable();
console.log(`\n${upstream.text}`);
if (!upstream.passed) process.exitCode ??= 1;

async function runStack(stack: Stack): Promise<void> {
  const started = performance.now();
  const ground = await Ground.create({ stack, conf, enforced, exclusive });
  const results: CaseResult[] = [];
  let mode = "";
  try {
    mode = await ground.mode();
    for (const one of chosen) {
      if (interrupted) break;
      const result = await runCase(ground, one);
      results.push(result);
      report(result);
    }
  } finally {
    await ground.close();
  }
  console.log(`\nPods with ${stack} by ${mode}, ${Math.round((performance.now() - started) / 1000)} s. Cases: passed/failed/skipped.`);
  console.log(renderTable(results));
  if (results.some((result) => mistakes(result).length > 0)) process.exitCode = 1;
}

function report(result: CaseResult): void {
  const wrong = mistakes(result);
  const total = result.steps.reduce((sum, { probes }) => sum + probes.length, 0);
  console.log(`${wrong.length === 0 ? "ok    " : "WRONG "} ${result.group}: ${result.name} (${wrong.length} of ${total} probes wrong)`);
  for (const { step, probe } of wrong.slice(0, shownMistakes)) console.log(`         after ${step}: ${describe(probe)}`);
}

function asStack(text: string): Stack {
  if (text === "dual" || text === "ipv4" || text === "ipv6") return text;
  console.error(`--stack ${text}: one of dual, ipv4, ipv6`);
  process.exit(2);
}
