import { cargoTests, cargoTestsTwice } from "./cargo.ts";
import { jsonProgram } from "./json-tier.ts";
import type { TestResult } from "./result.ts";
import { staticChecks } from "./static.ts";
import { vitestProject } from "./vitest.ts";

const minute = 60_000;

export interface Tier {
  readonly name: string;
  readonly run: () => Promise<TestResult[]>;
}

/** Lanes run side by side: the first computes, the others mostly wait for real time to pass. */
export const lanes: readonly (readonly Tier[])[] = [
  [
    { name: "static", run: staticChecks },
    {
      name: "unit",
      run: async () => [...(await cargoTests("Rust", ["--workspace", "--lib", "--bins"])), ...(await vitestProject("unit"))],
    },
    { name: "cloud", run: () => vitestProject("cloud") },
    { name: "bench", run: benchSmokes },
  ],
  [
    { name: "daemon", run: () => vitestProject("daemon") },
    { name: "cluster", run: () => vitestProject("cluster") },
  ],
  [
    {
      name: "netns",
      run: async () => [
        ...(await cargoTestsTwice("datapath", [
          "-p",
          "terway-datapath",
          "-p",
          "terway-bpf",
          "-p",
          "terway-lab-agent",
          "-p",
          "terway-floor",
          "--test",
          "*",
        ])),
        ...(await vitestProject("netns")),
      ],
    },
    { name: "executable", run: () => cargoTestsTwice("CNI executable", ["-p", "terway-cni", "--test", "*"]) },
    { name: "node", run: () => vitestProject("node") },
  ],
];

async function benchSmokes(): Promise<TestResult[]> {
  const results: TestResult[] = [];
  for (const bench of ["add", "path", "policy", "policy-path", "rules"])
    results.push(...(await jsonProgram("bench smoke", "node", ["bench/main.ts", bench, "--smoke"], 5 * minute)));
  return results;
}

/** Runs alone, after the lanes: its guests are emulated and take both processors for minutes. */
export const last: Tier = {
  name: "vm",
  run: async () => [
    ...(await jsonProgram("guest", "node", ["test/vm/run.ts", "--brief"], 40 * minute)),
    ...(await jsonProgram("bench smoke", "node", ["bench/main.ts", "instructions", "--smoke"], 10 * minute)),
  ],
};
