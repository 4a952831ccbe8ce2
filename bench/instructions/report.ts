import { barChart } from "../plot.ts";
import type { InstructionsResult, PathCost } from "./run.ts";

/** The veth pair with policy routing is what the other modes are compared with. */
const reference = "policy_route";

function ratioOf(result: InstructionsResult, cost: PathCost): number | undefined {
  const same = ({ kernel, mode, family, path }: PathCost) =>
    kernel === cost.kernel && mode === reference && family === cost.family && path === cost.path;
  const base = result.costs.find(same);
  return base === undefined ? undefined : cost.instructions / base.instructions;
}

export function markdown(result: InstructionsResult): string {
  const rows = result.costs.map((cost) => {
    const ratio = ratioOf(result, cost);
    return `| ${cost.kernel} | ${cost.mode} | ${cost.family} | ${cost.path} | ${cost.instructions} | ${ratio === undefined ? "" : ratio.toFixed(3)} |`;
  });
  const missing = result.missing.map(({ kernel, mode, reason }) => `| ${kernel} | ${mode} | ${reason} |`);
  const releases = Object.entries(result.releases).map(([version, release]) => `${version} is ${release}`);
  return `# Instructions of a round trip

Measured ${result.machine.measuredAt} at ${result.machine.commit.slice(0, 12)}${result.machine.dirty ? " with local changes" : ""}, in QEMU guests whose clock counts instructions; ${releases.join(", ")}.

One datagram there and back between a pod and somebody elsewhere, its node, or a second pod of its ENI, sockets included. *host*: the node itself,
by its own interface. Wall-clock figures of these modes are not measured: the processor is emulated. Fewer is better.

![ratios](instructions.svg)

| kernel | mode | family | path | instructions | ÷ ${reference} |
|---|---|---|---|---|---|
${rows.join("\n")}

| kernel | not available | what the kernel says |
|---|---|---|
${missing.join("\n")}
`;
}

/** The ratios as a picture, from the result alone. */
export function svg(result: InstructionsResult): string {
  const groups = new Map<string, { label: string; value: number; low: number; high: number }[]>();
  for (const cost of result.costs) {
    const ratio = ratioOf(result, cost);
    if (ratio === undefined || cost.mode === reference) continue;
    const title = `kernel ${cost.kernel}, ${cost.family}, pod and ${cost.path}`;
    groups.set(title, [...(groups.get(title) ?? []), { label: cost.mode, value: ratio, low: ratio, high: ratio }]);
  }
  return barChart({
    title: `Instructions of a round trip ÷ those of ${reference}`,
    reference: 1,
    groups: [...groups].map(([label, bars]) => ({ label, bars })),
  });
}
