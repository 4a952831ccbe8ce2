import { cargoTests } from "./cargo.ts";
import { jsonProgram } from "./json-tier.ts";
import type { TestResult } from "./result.ts";
import { staticChecks } from "./static.ts";
import { vitestProject } from "./vitest.ts";

const minute = 60_000;

export interface Tier {
  readonly name: string;
  readonly run: () => Promise<TestResult[]>;
}

/**
 * Two lanes run side by side, see docs/testing.md: the first computes and gives way to the second (`nice`), the second mostly waits for real time to
 * pass.
 */
export const lanes: readonly (readonly Tier[])[] = [
  [
    { name: "static", run: staticChecks },
    {
      name: "unit",
      run: async () => [...(await cargoTests("Rust", ["--workspace", "--lib", "--bins"])), ...(await vitestProject("unit"))],
    },
    { name: "vm", run: () => jsonProgram("guest", "nice", ["node", "test/vm/run.ts"], 40 * minute) },
  ],
  [
    {
      name: "netns",
      run: async () => [
        ...(await cargoTests("datapath", ["-p", "terway-datapath", "-p", "terway-lab-agent", "-p", "terway-floor", "--test", "*"])),
        ...(await vitestProject("netns")),
      ],
    },
    { name: "executable", run: () => cargoTests("CNI executable", ["-p", "terway-cni", "--test", "*"]) },
    { name: "cloud", run: () => vitestProject("cloud") },
    { name: "daemon", run: () => vitestProject("daemon") },
    { name: "node", run: () => vitestProject("node") },
    { name: "bench", run: () => jsonProgram("bench smoke", "node", ["bench/main.ts", "add", "--smoke"], 5 * minute) },
  ],
];
