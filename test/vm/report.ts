import type { TestResult } from "../runner/result.ts";

/** One suite under one kernel. */
export interface Cell {
  readonly suite: string;
  readonly kernel: string;
  readonly results: readonly TestResult[];
  readonly durationMs: number;
}

/** Kernels down, suites across: `passed/failed/skipped (seconds)`. */
export function table(cells: readonly Cell[]): string {
  const suites = [...new Set(cells.map(({ suite }) => suite))];
  const kernels = [...new Set(cells.map(({ kernel }) => kernel))];
  const rows = [
    ["kernel", ...suites],
    ...kernels.map((kernel) => [
      kernel,
      ...suites.map((suite) => {
        const cell = cells.find((each) => each.suite === suite && each.kernel === kernel);
        return cell === undefined ? "–" : summary(cell);
      }),
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("   ")
        .trimEnd(),
    )
    .join("\n");
}

function summary({ results, durationMs }: Cell): string {
  const parts = (["passed", "failed", "skipped"] as const).map((status) => {
    return `${results.filter((result) => result.status === status).length} ${status}`;
  });
  return `${parts.join(", ")} (${(durationMs / 1000).toFixed(0)} s)`;
}
