import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import type { TestResult } from "../runner/result.ts";
import {
  cacheDirectory,
  exists,
  fetchArtifacts,
  type KernelVersion,
  kernel,
  kernelVersions,
  missingHostPackages,
  userland,
} from "./guest/artifacts.ts";
import { type KernelRun, matrixTables, readProbe, withoutProvenSkips } from "./matrix.ts";
import { amend, provenance, record } from "./record.ts";
import { type Cell, table } from "./report.ts";
import { type Extent, selectionOf, whole, wholeOf } from "./suite/extent.ts";
import { kernelObjects, kernelObjectsHere } from "./suite/kernel-objects.ts";
import { nodeOnCgroup2 } from "./suite/node-cgroup2.ts";
import type { Suite } from "./suite/suite.ts";

const usage = `usage: node test/vm/run.ts [--kernel VERSION …] [--suite a|b …] [--here] [--record] [--brief|--least] [--program NAME …] [--json FILE] [--jobs N]

Runs tests in QEMU guests: suite a, the tests of kernel objects under ${kernelVersions.join(", ")}; suite b, the node on a cgroup v2 host.
--here, or --kernel here: suite a under this machine's kernel, too. --record: keeps what suite a has seen under each kernel; \`npm run generate\` makes the page of it.
--brief: of suite a only what differs from kernel to kernel, a few minutes for each; the whole takes a quarter of an hour for each and more.
--least: of suite a one test of each thing that this machine's kernel may lack, some minutes in all; no suite b unless told, and nothing to record.
--program: of suite a these test programs alone, whole; --record puts what they say into what is kept of the kernel.
--jobs: guests at a time, 2 unless told (each takes one processor and 1 to 3 GiB).`;

/** In the order of their start: the longest first. */
const suites = [
  { id: "b", title: "node on cgroup v2", run: nodeOnCgroup2, kernels: ["6.12"] },
  { id: "a", title: "kernel objects", run: kernelObjects, kernels: kernelVersions },
] as const satisfies {
  id: "a" | "b";
  title: string;
  run: Suite;
  kernels: readonly KernelVersion[];
}[];

const optionsSchema = z.object({
  kernel: z.array(z.enum(["here", ...kernelVersions])).optional(),
  suite: z.array(z.enum(["a", "b"])).optional(),
  here: z.boolean().optional(),
  record: z.boolean().default(false),
  brief: z.boolean().default(false),
  least: z.boolean().default(false),
  program: z.array(z.string()).optional(),
  json: z.string().optional(),
  jobs: z.coerce.number().int().positive().default(2),
  help: z.boolean().optional(),
});

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kernel: { type: "string", multiple: true },
      suite: { type: "string", multiple: true },
      here: { type: "boolean" },
      record: { type: "boolean" },
      brief: { type: "boolean" },
      least: { type: "boolean" },
      program: { type: "string", multiple: true },
      json: { type: "string" },
      jobs: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success || parsed.data.help) {
    console.log(parsed.success ? usage : `${z.prettifyError(parsed.error)}\n\n${usage}`);
    return parsed.success ? 0 : 2;
  }
  const options = parsed.data;
  const extent: Extent = options.least ? "least" : options.brief ? "brief" : "whole";
  const programs = options.program;
  const of = provenance();
  try {
    await prepare();
  } catch (error) {
    return finish([{ name: "preparation", status: "failed", reason: messageOf(error) }], [], options.json);
  }
  const folder = await makeFolder();
  try {
    const root = await userland();
    const wanted = options.suite ?? (extent === "least" ? ["a"] : ["a", "b"]);
    const jobs = suites
      .filter(({ id }) => wanted.includes(id))
      .flatMap((suite) =>
        suite.kernels
          .filter((version) => options.kernel?.includes(version) ?? true)
          .flatMap((version) => {
            const selection = programs === undefined ? selectionOf(extent, version) : wholeOf(programs);
            return selection === undefined ? [] : { suite, version, selection };
          }),
      );
    const cells: Cell[] = [];
    const runs: KernelRun[] = [];
    const probes = new Map<KernelVersion, ReturnType<typeof readProbe>>();
    const runOne = async ({ suite, version, selection }: (typeof jobs)[number]): Promise<void> => {
      const started = performance.now();
      const say = (line: string) => {
        const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(5);
        console.log(`${seconds} s  ${version} ${suite.title}: ${line}`);
      };
      const probed = (output: string) => probes.set(version, readProbe(output));
      const results = await suite
        .run({ kernel: await kernel(version), userland: root, folder, selection, say, probed })
        .catch((error: unknown): TestResult[] => [{ name: `${version} ${suite.title}`, status: "failed", reason: messageOf(error) }]);
      const probe = probes.get(version);
      const seen = suite.id === "a" && probe !== undefined ? { kernel: version, ...probe, results } : undefined;
      if (seen !== undefined) runs.push(seen);
      const counted = seen === undefined ? results : withoutProvenSkips(seen);
      cells.push({ suite: suite.title, kernel: version, results: counted, durationMs: performance.now() - started });
    };
    if (options.kernel?.includes("here") ?? options.here) {
      console.log("  this machine's kernel");
      let output = "";
      const results = await kernelObjectsHere(folder, programs === undefined ? whole : wholeOf(programs), (text) => {
        output = text;
      });
      runs.push({ kernel: "here", ...readProbe(output), results });
    }
    const queue = jobs[Symbol.iterator]();
    const worker = async () => {
      for (const job of queue) await runOne(job);
    };
    await Promise.all(Array.from({ length: options.jobs }, worker));
    if (runs.length > 0) {
      const order = ["here", ...kernelVersions];
      console.log(`\n${matrixTables(runs.toSorted((a, b) => order.indexOf(a.kernel) - order.indexOf(b.kernel)))}\n`);
      if (options.record && extent !== "least")
        for (const run of runs)
          await (programs === undefined
            ? record({ ...run, ...of, whole: extent === "whole" || run.kernel === "here" })
            : amend({ ...run, ...of }, programs));
    }
    return await finish(
      [...cells.flatMap(({ results }) => results), ...runs.filter((run) => run.kernel === "here").flatMap(withoutProvenSkips)],
      cells,
      options.json,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepare(): Promise<void> {
  const missing = await missingHostPackages();
  if (missing.length > 0) throw new Error(`this machine lacks what guests need; apt-get install ${missing.join(" ")}`);
  await fetchArtifacts();
}

async function makeFolder(): Promise<string> {
  const cache = cacheDirectory();
  await mkdir(cache, { recursive: true });
  // A run that was killed could not clean up; its folder names the process.
  for (const name of await readdir(cache)) {
    const pid = /^vm-run-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !(await exists(`/proc/${pid}`))) await rm(join(cache, name), { recursive: true, force: true });
  }
  return mkdtemp(join(cache, `vm-run-${process.pid}-`));
}

async function finish(results: readonly TestResult[], cells: readonly Cell[], json: string | undefined): Promise<number> {
  for (const result of results) {
    if (result.status === "failed") console.log(`FAILED  ${result.name}\n${(result.reason ?? "").replace(/^/gm, "    ")}`);
    if (result.status === "skipped") console.log(`skipped ${result.name}: ${result.reason}`);
    if (result.note !== undefined) console.log(`note    ${result.name}\n${result.note.replace(/^/gm, "    ")}`);
  }
  if (results.length === 0) console.log("no suite runs under that kernel");
  if (cells.length > 0) console.log(`\n${table(cells)}`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ tier: "vm", results }, null, 2)}\n`);
  return results.length === 0 || results.some(({ status }) => status === "failed") ? 1 : 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
