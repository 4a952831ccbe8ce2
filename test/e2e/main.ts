import { cp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { type Progress, repositoryRoot, runWithLab } from "@terway/lab";
import { z } from "zod";
import { startE2eCluster } from "./e2e-cluster.ts";
import { specsOf, suitePrograms } from "./programs.ts";
import { provenance, record } from "./record.ts";
import { readReport, table } from "./report.ts";
import { runSuite } from "./run-suite.ts";
import { misfits, readOmissions, readSpecs } from "./specs.ts";

const usage = `usage: npm run test:e2e [-- OPTIONS]

Runs upstream's end-to-end specs of test/e2e/specs.txt on a cluster of the lab's, and prints a table. Exit status 0 only when all of them passed.

  --focus REGEX   only the specs whose names match
  --procs N       specs at a time, 3 unless told
  --nodes N       2 to 9, 2 unless told
  --proxy MODE    kube-proxy's mode: nftables (unless told) or iptables
  --fast-path     pods' packets go past the nodes' stack (datapathv2)
  --record NAME   keep what became of each spec as test/e2e/results/NAME.json
  --keep          leave the cluster running; --down removes it
  --id ID         run id; everything the cluster makes carries it`;

const optionsSchema = z.object({
  focus: z
    .string()
    .refine((text) => isRegExp(text), "is no regular expression")
    .optional(),
  procs: z.coerce.number().int().min(1).max(16).default(3),
  nodes: z.coerce.number().int().min(2).max(9).default(2),
  proxy: z.enum(["nftables", "iptables"]).default("nftables"),
  "fast-path": z.boolean().default(false),
  record: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .optional(),
  keep: z.boolean().default(false),
  down: z.boolean().default(false),
  id: z.string().default("e2e"),
  help: z.boolean().optional(),
});
type Options = z.infer<typeof optionsSchema>;

process.stdout.on("error", () => {});
process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      focus: { type: "string" },
      procs: { type: "string" },
      nodes: { type: "string" },
      proxy: { type: "string" },
      "fast-path": { type: "boolean" },
      record: { type: "string" },
      keep: { type: "boolean" },
      down: { type: "boolean" },
      id: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success || parsed.data.help) {
    console.log(parsed.success ? usage : `${z.prettifyError(parsed.error)}\n\n${usage}`);
    return parsed.success ? 0 : 2;
  }
  const options = parsed.data;
  const { id, down, keep } = options;
  let passed = false;
  const story = {
    what: "run",
    downCommand: downCommand(id),
    used: [],
    // A cluster that is to be kept stays also when specs failed: that is what it is kept for.
    run: async (progress: Progress) => {
      passed = await run(options, progress);
      return keep || passed;
    },
  };
  const code = await runWithLab({ id, mode: down ? "down" : keep ? "keep" : "run" }, story, process.stdout);
  return code === 0 && !down && !passed ? 1 : code;
}

function downCommand(id: string): string {
  return `npm run test:e2e -- --down --id ${id}`;
}

function isRegExp(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

async function run(
  { id, focus, procs, nodes, proxy, "fast-path": fastPath, record: name, keep }: Options,
  progress: Progress,
): Promise<boolean> {
  const of = provenance();
  const program = await suitePrograms();
  const [all, omissions, suite] = await Promise.all([readSpecs(), readOmissions(), specsOf(program("e2e.test"))]);
  const wrong = misfits(suite, all, omissions);
  if (wrong.length > 0) throw new Error(`test/e2e/specs.txt and omitted.txt do not fit the suite:\n  ${wrong.join("\n  ")}`);
  const specs = focus === undefined ? all : all.filter((spec) => new RegExp(focus).test(spec));
  if (specs.length === 0) throw new Error(`no spec of test/e2e/specs.txt matches ${focus}`);
  const omitted = omissions.map(({ spec }) => spec).filter((spec) => focus === undefined || new RegExp(focus).test(spec));

  progress.say("\nThe cluster:");
  const cluster = await startE2eCluster({ id, nodes, proxy, fastPath, program }, progress);
  if (keep) {
    await cluster.lab.keep();
    progress.say(`\nThe cluster stays: ${cluster.wrapper("kubectl")} get pods -A. Remove it: ${downCommand(id)}`);
  }
  const folder = join(repositoryRoot, "dist/e2e", id);
  await rm(folder, { recursive: true, force: true });
  progress.say(`\n${specs.length} specs, ${procs} at a time; what the suite says: ${folder}/suite.log`);
  const started = performance.now();
  let done = 0;
  const onOutcome = (passed: boolean, spec: string) => {
    done += 1;
    const minutes = ((performance.now() - started) / 60_000).toFixed(1);
    progress.say(`  ${String(done).padStart(4)} of ${specs.length}  ${minutes.padStart(5)} min  ${passed ? "passed" : "FAILED"}  ${spec}`);
  };
  const report = await runSuite({
    program,
    kubeconfig: cluster.plane.admin,
    kubectl: cluster.plane.program("kubectl"),
    nodes,
    specs,
    processes: procs,
    folder,
    onOutcome,
  }).finally(() => cp(dirname(cluster.lab.directory.log("any")), join(folder, "log"), { recursive: true }));
  const results = await readReport(report, specs);
  for (const { spec, state, message = "" } of results) {
    if (state !== "passed") progress.say(`\n${state.toUpperCase()}  ${spec}\n${message.slice(0, 1500).replace(/^/gm, "    ")}`);
  }
  progress.say(`\n${table(results, omitted)}`);
  if (name !== undefined)
    await record(name, { ...of, nodes, proxy, ...(fastPath ? { fastPath } : {}), ...(focus === undefined ? {} : { focus }) }, results);
  return results.every(({ state }) => state === "passed");
}
