import { mkdir, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { containerRuntime, KubernetesCluster, Lab, missingFiles, type Progress, planOf, runWithLab } from "@terway/lab";
import { z } from "zod";
import { describeMachine } from "../../bench/machine.ts";
import { type ChaosResult, markdown } from "./report.ts";
import { runChaos } from "./run.ts";

const usage = `usage: npm run test:chaos [-- OPTIONS]

Kills the two replicas of the control plane at random while pods come and go under centralized IPAM and the cloud fails in every way; an auditor looks all
the time. Writes test/chaos/results/chaos.{json,md}. Exit status 0 only when nothing leaked, nothing contradicted, and no address was on two live sandboxes.

  --seconds N     600 unless told
  --pods N        in all, 300 unless told
  --nodes N       3 unless told
  --seed N        of order and chance, 1 unless told
  --no-record     leave test/chaos/results as it is
  --id ID         run id; everything the cluster makes carries it`;

const count = (usual: number) => z.coerce.number().int().min(1).default(usual);
const optionsSchema = z.object({
  seconds: count(600),
  pods: count(300),
  nodes: count(3).pipe(z.number().min(2)),
  seed: count(1),
  "no-record": z.boolean().default(false),
  id: z.string().default("chaos"),
  help: z.boolean().optional(),
});
type Options = z.infer<typeof optionsSchema>;

process.exitCode = await main();

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      ...{ seconds: text, pods: text, nodes: text, seed: text, id: text },
      ...{ "no-record": { type: "boolean" }, help: { type: "boolean", short: "h" } },
    },
  });
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success || parsed.data.help) {
    console.log(parsed.success ? usage : `${z.prettifyError(parsed.error)}\n\n${usage}`);
    return parsed.success ? 0 : 2;
  }
  const options = parsed.data;
  const story = { what: "run", downCommand: "npm run test:chaos", used: [], run: (progress: Progress) => run(options, progress) };
  return runWithLab({ id: options.id, mode: "run" }, story, process.stdout);
}

async function run({ seconds, pods, nodes, seed, id, "no-record": noRecord }: Options, progress: Progress): Promise<boolean> {
  const machine = describeMachine();
  const runtime = containerRuntime("debian");
  const missing = await missingFiles(runtime);
  if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; npm run bootstrap installs them`);
  const plan = planOf(nodes);
  const cluster = await progress.step(`cluster of ${nodes} nodes`, async () =>
    KubernetesCluster.start(await Lab.create(id, plan), { plan, runtime, proxy: "nftables" }),
  );
  const options = { seconds, pods, seed, least: 8, most: 20 * nodes };
  const outcome = await runChaos(cluster, options, (line) => progress.say(`  ${line}`));
  const result: ChaosResult = { test: "chaos", version: 1, machine, options: { ...options, nodes }, ...outcome };
  progress.say(`\n${markdown(result)}`);
  for (const line of outcome.wrong) progress.say(`WRONG  ${line}`);
  if (!noRecord) {
    await mkdir(new URL("./results/", import.meta.url), { recursive: true });
    const file = (ending: string) => new URL(`./results/chaos.${ending}`, import.meta.url);
    await writeFile(file("json"), `${JSON.stringify(result)}\n`);
    await writeFile(file("md"), markdown(result));
  }
  for (const { on } of cluster.nodes) on.containerd.cri.close();
  return outcome.wrong.length === 0;
}
