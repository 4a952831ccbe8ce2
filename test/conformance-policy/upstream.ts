import { readdir, readFile } from "node:fs/promises";
import { z } from "zod";
import { readOmissions } from "../e2e/specs.ts";

const folder = new URL("../e2e/results/", import.meta.url);
const recordSchema = z.object({
  commit: z.string(),
  day: z.string(),
  kernel: z.string(),
  nodes: z.number(),
  proxy: z.string(),
  fastPath: z.boolean().default(false),
  specs: z.array(z.object({ spec: z.string(), state: z.enum(["passed", "failed", "skipped"]) })),
});
const isPolicy = (spec: string) => spec.includes("[sig-network] Netpol") || spec.includes("NetworkPolicy");

export interface UpstreamTable {
  readonly text: string;
  /** Every spec that is not left out has passed. */
  readonly passed: boolean;
}

/** What upstream's own suite of NetworkPolicy has shown on a cluster of the lab's when it last ran, by the kind of Services (`npm run test:e2e`). */
export async function upstreamTable(): Promise<UpstreamTable> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).toSorted();
  const omitted = (await readOmissions()).filter(({ spec }) => isPolicy(spec));
  const lines: string[] = [];
  let passed = names.length > 0;
  for (const name of names) {
    const { commit, day, kernel, nodes, proxy, fastPath, specs } = recordSchema.parse(
      JSON.parse(await readFile(new URL(name, folder), "utf8")),
    );
    const own = specs.filter(({ spec }) => isPolicy(spec));
    const count = (state: string) => own.filter((one) => one.state === state).length;
    const row = `passed ${count("passed")}, failed ${count("failed")}, skipped ${count("skipped")}, left out ${omitted.length}`;
    lines.push(`${(fastPath ? `${proxy}, fast path` : proxy).padEnd(22)}${row}; ${nodes} nodes, kernel ${kernel}, ${day} at ${commit}`);
    lines.push(...own.filter(({ state }) => state !== "passed").map(({ spec, state }) => `  ${state}: ${spec}`));
    passed &&= own.length > 0 && own.every(({ state }) => state === "passed");
  }
  lines.push(...omitted.map(({ spec, reason }) => `  left out (${reason}): ${spec}`));
  return {
    text: `Upstream's Netpol specs as npm run test:e2e last saw them (again: npm run test:e2e -- --focus Netpol):\n${lines.join("\n")}`,
    passed,
  };
}
