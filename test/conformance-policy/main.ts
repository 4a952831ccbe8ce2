/**
 * The table of NetworkPolicy cases, each probed with real packets: `npm run test:conformance -- [options] [WORD ...]`. Only cases whose group and name hold
 * all the words are run.
 */
import { parseArgs } from "node:util";
import { type KernelVersion, kernelVersions } from "../vm/guest/artifacts.ts";
import { provenance } from "../vm/record.ts";
import { cases } from "./cases/index.ts";
import { randomCases } from "./cases/random.ts";
import { sliceCases } from "./cases/slice.ts";
import { Ground, type Stack } from "./ground.ts";
import { runInGuest } from "./guest.ts";
import { describe } from "./measure.ts";
import { type Mode, modeOf, modeWords } from "./mode.ts";
import { type Run, record, runOf, runSchema } from "./record.ts";
import { type CaseResult, mistakes, runCase } from "./run.ts";
import { renderTable } from "./table.ts";
import { upstreamTable } from "./upstream.ts";

const usage = `usage: npm run test:conformance -- [--stack dual|ipv4|ipv6]... [--mode MODE] [--seed N] [--random N] [--without-enforcement] [WORD ...]
  --stack S               the pods' families; default: all three, one after another
  --mode MODE             how pods are connected: veth (default), datapathv2, netkit, IPVlan; members of a trunk ENI by vlan or filter; exclusive: every
                          pod has an ENI of its own; datapathv2+filter and the like: together
  --slice                 a dozen cases, one or two of each group, instead of all
  --guest KERNEL          in a guest under that kernel (${kernelVersions.join(", ")}), where this machine's lacks the mode; a slice takes half an hour there
  --record                keeps what was seen, of all cases or of the slice, in test/conformance-policy/results
  --seed N                of the random cases; default 1
  --random N              how many of them; default 40
  --without-enforcement   NetworkPolicy is not enforced: the table must fail, which shows that it can`;
/** Begins the line with what a guest has seen. */
const reported = "@run ";
/** Of one case, so that a broken product fills no screens. */
const shownMistakes = 8;

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    stack: { type: "string", multiple: true },
    mode: { type: "string", default: "veth" },
    seed: { type: "string", default: "1" },
    random: { type: "string", default: "40" },
    "without-enforcement": { type: "boolean" },
    slice: { type: "boolean", default: false },
    guest: { type: "string" },
    record: { type: "boolean", default: false },
    // Said to the program in the guest: there is nothing to be kept there.
    report: { type: "boolean", default: false },
    help: { type: "boolean" },
  },
});
const stacks = (values.stack ?? ["dual", "ipv4", "ipv6"]).map(asStack);
const all = values.slice ? sliceCases : [...cases, ...randomCases(Number(values.random), Number(values.seed))];
const chosen = all.filter(({ group, name }) => words.every((word) => `${group}: ${name}`.includes(word)));
if (values.help === true || chosen.length === 0) {
  console.error(values.help === true ? usage : `no case has ${words.join(" and ")} in its name\n${usage}`);
  process.exit(values.help === true ? 0 : 2);
}
const mode = asMode(values.mode);
if (values.record && (words.length > 0 || values["without-enforcement"] === true)) {
  console.error("--record keeps whole tables and slices of them only: leave out the words, and --without-enforcement");
  process.exit(2);
}
const of = values.record ? provenance() : undefined;
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
if (values.guest === undefined) for (const stack of stacks) if (!interrupted) await runStack(stack);
if (values.guest !== undefined) await runGuest(asKernel(values.guest));
if (!values.report) {
  const upstream = await upstreamTable();
  console.log(`\n${upstream.text}`);
  if (!upstream.passed) process.exitCode ??= 1;
}

async function runStack(stack: Stack): Promise<void> {
  const started = performance.now();
  const ground = await Ground.create({ stack, mode, enforced });
  const results: CaseResult[] = [];
  let used = "";
  try {
    used = await ground.mode();
    console.log(`Pods with ${stack} by ${used}: two nodes after ${Math.round((performance.now() - started) / 1000)} s.`);
    for (const one of chosen) {
      if (interrupted) break;
      const result = await runCase(ground, one);
      results.push(result);
      report(result);
    }
  } finally {
    await ground.close();
  }
  console.log(`\nPods with ${stack} by ${used}, ${Math.round((performance.now() - started) / 1000)} s. Cases: passed/failed/skipped.`);
  console.log(renderTable(results));
  if (results.some((result) => mistakes(result).length > 0)) process.exitCode = 1;
  if (interrupted) return;
  const seconds = Math.round((performance.now() - started) / 1000);
  const run = runOf({ mode: mode.name, used, stack, seconds, part: values.slice ? "slice" : "complete" }, results);
  if (values.report) console.log(`${reported}${JSON.stringify(run)}`);
  if (of !== undefined) await record(run, of);
}

async function runGuest(kernel: KernelVersion): Promise<void> {
  const options = [...stacks.flatMap((stack) => ["--stack", stack]), "--mode", mode.name, ...(values.slice ? ["--slice"] : [])];
  const more = [...(enforced ? [] : ["--without-enforcement"]), "--seed", values.seed, "--random", values.random, "--report"];
  const runs: Run[] = [];
  const code = await runInGuest(kernel, [...options, ...more, ...words], (line) => {
    if (line.startsWith(reported)) runs.push(runSchema.parse(JSON.parse(line.slice(reported.length))));
    else console.log(line);
  });
  if (of !== undefined) for (const run of runs) await record(run, of);
  if (code !== 0) process.exitCode = code;
}

function report(result: CaseResult): void {
  const wrong = mistakes(result);
  const total = result.steps.reduce((sum, { probes }) => sum + probes.length, 0);
  console.log(`${wrong.length === 0 ? "ok    " : "WRONG "} ${result.group}: ${result.name} (${wrong.length} of ${total} probes wrong)`);
  for (const { step, probe } of wrong.slice(0, shownMistakes)) console.log(`         after ${step}: ${describe(probe)}`);
}

function asMode(text: string): Mode {
  const found = modeOf(text);
  if (found !== undefined) return found;
  console.error(`--mode ${text}: one of ${modeWords.join(", ")}, or some of them with + between`);
  process.exit(2);
}

function asKernel(text: string): KernelVersion {
  const found = kernelVersions.find((version) => version === text);
  if (found !== undefined) return found;
  console.error(`--guest ${text}: one of ${kernelVersions.join(", ")}`);
  process.exit(2);
}

function asStack(text: string): Stack {
  if (text === "dual" || text === "ipv4" || text === "ipv6") return text;
  console.error(`--stack ${text}: one of dual, ipv4, ipv6`);
  process.exit(2);
}
