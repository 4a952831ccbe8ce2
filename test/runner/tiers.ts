import { cargoTests, cargoTestsTwice } from "./cargo.ts";
import { jsonProgram } from "./json-tier.ts";
import type { Length, TestResult } from "./result.ts";
import { staticChecks } from "./static.ts";
import { vitestProject } from "./vitest.ts";

const minute = 60_000;

export interface Tier {
  readonly name: string;
  /** What `npm test` and `npm run test:long` run of it; a tier may have tests of one length only. */
  readonly run: { readonly [length in Length]?: () => Promise<TestResult[]> };
}

const kernelObjects = ["-p", "terway-datapath", "-p", "terway-bpf", "-p", "terway-lab-agent", "-p", "terway-floor", "--test", "*"];

/** Lanes run side by side, each about as long as the others. What waits for real time stands beside what computes. */
export const lanes: readonly (readonly Tier[])[] = [
  [{ name: "cluster", run: ofBothLengths((length) => vitestProject("cluster", length)) }],
  [
    { name: "daemon", run: ofBothLengths((length) => vitestProject("daemon", length)) },
    { name: "executable", run: { short: () => cargoTestsTwice("CNI executable", ["-p", "terway-cni", "--test", "*"], "short") } },
    { name: "cloud", run: { short: () => vitestProject("cloud", "short") } },
    { name: "bench", run: { short: () => benchSmokes("add", "path", "policy", "rules"), long: () => benchSmokes("policy-path") } },
  ],
  [
    { name: "static", run: { short: staticChecks } },
    {
      name: "unit",
      run: {
        short: async () => [
          ...(await cargoTests("Rust", ["--workspace", "--lib", "--bins"], "short")),
          ...(await vitestProject("unit", "short")),
        ],
      },
    },
    {
      name: "netns",
      run: ofBothLengths(async (length) => [
        ...(await cargoTestsTwice("datapath", kernelObjects, length)),
        ...(await vitestProject("netns", length)),
      ]),
    },
    { name: "node", run: ofBothLengths((length) => vitestProject("node", length)) },
  ],
];

/** Runs alone, after the lanes: its guests are emulated and take both processors. */
export const last: Tier = {
  name: "vm",
  run: {
    short: () => jsonProgram("guest", "node", ["test/vm/run.ts", "--least"], 20 * minute),
    long: async () => [
      ...(await jsonProgram("guest", "node", ["test/vm/run.ts", "--brief"], 40 * minute)),
      ...(await benchSmokes("instructions")),
    ],
  },
};

function ofBothLengths(run: (length: Length) => Promise<TestResult[]>): Tier["run"] {
  return { short: () => run("short"), long: () => run("long") };
}

async function benchSmokes(...benches: readonly string[]): Promise<TestResult[]> {
  const results: TestResult[] = [];
  for (const bench of benches)
    results.push(...(await jsonProgram("bench smoke", "node", ["bench/main.ts", bench, "--smoke"], 10 * minute)));
  return results;
}
