import { run, tail } from "./command.ts";
import type { TestResult } from "./result.ts";

/** Checks that read the code without running it; each counts as one test. */
const checks: readonly { name: string; command: string; args: readonly string[] }[] = [
  { name: "TypeScript types (tsc)", command: "node", args: ["node_modules/typescript/bin/tsc", "-p", "."] },
  { name: "format and lint (biome)", command: "node_modules/.bin/biome", args: ["check", "--error-on-warnings", "."] },
  { name: "promises and globals (eslint)", command: "node", args: ["node_modules/eslint/bin/eslint.js", "--max-warnings=0", "."] },
  {
    name: "import direction (dependency-cruiser)",
    command: "node",
    args: [
      "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs",
      "--config",
      "dependency-cruiser.config.cjs",
      "ts",
      "test",
      "bench",
      "scripts",
    ],
  },
  { name: "dead code (knip)", command: "node", args: ["node_modules/knip/bin/knip.js"] },
  { name: "generated files are current", command: "node", args: ["scripts/generate.ts", "--check"] },
  { name: "Rust format (rustfmt)", command: "cargo", args: ["fmt", "--all", "--check"] },
  { name: "Rust lint (clippy)", command: "cargo", args: ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"] },
  { name: "kernel programs: format and lint", command: "bash", args: ["scripts/lint-ebpf.sh"] },
  { name: "arm64 cross build (CNI executable)", command: "bash", args: ["scripts/cross-arm64.sh"] },
];

/** Runs every static check, also when an earlier one failed. */
export async function staticChecks(): Promise<TestResult[]> {
  const results: TestResult[] = [];
  for (const { name, command, args } of checks) {
    const outcome = await run(command, args);
    const skip = /^SKIP: (.+)$/m.exec(outcome.output)?.[1];
    const result: TestResult =
      outcome.code === 0
        ? skip === undefined
          ? { name, status: "passed", durationMs: outcome.durationMs }
          : { name, status: "skipped", reason: skip }
        : { name, status: "failed", reason: tail(outcome.output, 60), durationMs: outcome.durationMs };
    results.push(result);
  }
  return results;
}
