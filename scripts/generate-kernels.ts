import { kernelVersions } from "../test/vm/guest/artifacts.ts";
import { matrixTables, withoutProvenSkips } from "../test/vm/matrix.ts";
import { recordedRuns } from "../test/vm/record.ts";
import { code, generatedBy, table } from "./generate-markdown.ts";

const order: readonly string[] = ["here", ...kernelVersions];

/** What each kernel can do and has passed, from the last whole run under each. */
export function kernelsPage(): string {
  const runs = recordedRuns().toSorted((a, b) => order.indexOf(a.kernel) - order.indexOf(b.kernel));
  const columns = runs.map((run) => {
    const counted = withoutProvenSkips(run);
    const count = (status: string) => String(counted.filter((result) => result.status === status).length);
    return [
      run.release,
      [code(run.commit), ...(run.later ?? []).map(({ programs, commit }) => `${programs.join(", ")}: ${code(commit)}`)].join("; "),
      run.day,
      run.whole ? "whole" : "brief",
      count("passed"),
      count("failed"),
      String(run.results.length - Number(count("passed")) - Number(count("failed"))),
    ];
  });
  return `${generatedBy("`test/vm/results`, which `npm run test:kernels` writes")}

# Modes and kernels

The tests of kernel objects and packets under each kernel, counted by the mode and the address family in their names. *Not available* is said
only where the probe of the same run shows that the kernel lacks what the mode needs. –: no test was run.

${matrixTables(runs)}

## Which run each column is of

${table(["kernel", "commit", "day", "run", "passed", "failed", "skipped"], columns)}

A + after the commit: with changes that are in none. A brief run leaves out both families at once, kills, drift and the programs that differ least
from kernel to kernel. Most skips are of modes that the kernel lacks. \`here\` is a development machine's own kernel.
`;
}
