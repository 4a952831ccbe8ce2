import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { containerRuntime, KubernetesCluster, Lab, missingFiles, type Progress, planOf, runWithLab } from "@terway/lab";
import { z } from "zod";
import { describeMachine } from "../../bench/machine.ts";
import { validate } from "../../bench/validate.ts";
import { markdown, type ScaleResult } from "./report.ts";
import { runWaves } from "./run.ts";

const usage = `usage: npm run test:scale [-- OPTIONS]

Creates and deletes pods in waves on a cluster of the lab's, compares API, journal, kernel and cloud after each, and writes bench/results/scale.{json,md}.
Exit status 0 only when nothing leaked and nothing contradicted.

  --pods N        in all, 1000 unless told
  --wave N        at once, 120 unless told
  --nodes N       3 unless told
  --no-record     leave bench/results as it is
  --id ID         run id; everything the cluster makes carries it`;

const count = (usual: number) => z.coerce.number().int().min(1).default(usual);
const optionsSchema = z.object({
  pods: count(1000),
  wave: count(120),
  nodes: count(3),
  "no-record": z.boolean().default(false),
  id: z.string().default("scale"),
  help: z.boolean().optional(),
});
type Options = z.infer<typeof optionsSchema>;

/** Room for twice a wave on one node. */
const instanceType = "ecs.g7.4xlarge";
/** As a cluster with such waves would be set up: a wave's addresses stay for the next one. */
const pool = { min: 10, max: 50 };

process.exitCode = await main();

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { pods: text, wave: text, nodes: text, "no-record": { type: "boolean" }, id: text, help: { type: "boolean", short: "h" } },
  });
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success || parsed.data.help) {
    console.log(parsed.success ? usage : `${z.prettifyError(parsed.error)}\n\n${usage}`);
    return parsed.success ? 0 : 2;
  }
  const options = parsed.data;
  const story = { what: "run", downCommand: "npm run test:scale", used: [], run: (progress: Progress) => run(options, progress) };
  return runWithLab({ id: options.id, mode: "run" }, story, process.stdout);
}

async function run(options: Options, progress: Progress): Promise<boolean> {
  const machine = describeMachine();
  const runtime = containerRuntime("debian");
  const missing = await missingFiles(runtime);
  if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; npm run bootstrap installs them`);
  const usual = planOf(options.nodes);
  const plan = { ...usual, nodes: usual.nodes.map((node) => ({ ...node, instanceType })) };
  const cluster = await progress.step(`cluster of ${options.nodes} nodes, pools warm`, async () => {
    const started = await KubernetesCluster.start(await Lab.create(options.id, plan), { plan, runtime, proxy: "nftables" });
    await started.startTerway(pool);
    return started;
  });
  const waves = { pods: options.pods, perWave: options.wave, quietMs: 90_000 };
  const outcome = await runWaves(cluster, waves, (line) => progress.say(`  ${line}`));
  const result: ScaleResult = {
    bench: "scale",
    version: 1,
    machine,
    options: { ...waves, nodes: options.nodes, instanceType, pool },
    ...outcome,
  };
  await validate("scale", result);
  progress.say(`\n${markdown(result)}`);
  for (const line of outcome.failedSandboxes) progress.say(`failed at first: ${line}`);
  for (const line of outcome.wrong) progress.say(`WRONG  ${line}`);
  if (!options["no-record"]) {
    const file = (ending: string) => new URL(`../../bench/results/scale.${ending}`, import.meta.url);
    await writeFile(file("json"), `${JSON.stringify(result)}\n`);
    await writeFile(file("md"), markdown(result));
  }
  for (const { on } of cluster.nodes) on.containerd.cri.close();
  return outcome.wrong.length === 0;
}
