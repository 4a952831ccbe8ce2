import { table } from "../../ts/lab/src/demo/table.ts";
import type { CaseResult } from "./run.ts";
import { type Family, type Protocol, protocols } from "./scene.ts";

const families = [4, 6] as const;

/** Case group × family × protocol: how many cases were right in every probe, and of how many probes. */
export function renderTable(results: readonly CaseResult[]): string {
  const groups = [...new Set(results.map(({ group }) => group))];
  const rows = [...groups, undefined].map((group) => {
    const cases = results.filter((one) => group === undefined || one.group === group);
    return [
      group ?? "all",
      String(cases.length),
      ...families.flatMap((family) => protocols.map((protocol) => cell(cases, family, protocol))),
      String(cases.reduce((sum, one) => sum + one.steps.reduce((count, { probes }) => count + probes.length, 0), 0)),
    ];
  });
  const columns = families.flatMap((family) => protocols.map((protocol) => `${protocol} v${family}`));
  return table(["NetworkPolicy", "cases", ...columns, "probes"], rows);
}

/** `passed/failed/skipped`: skipped is what the cluster has no addresses for. */
function cell(cases: readonly CaseResult[], family: Family, protocol: Protocol): string {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const { steps } of cases) {
    const probes = steps.flatMap((step) => step.probes).filter((one) => one.family === family && one.protocol === protocol);
    if (probes.length === 0) skipped += 1;
    else if (probes.some(({ wrong }) => wrong !== undefined)) failed += 1;
    else passed += 1;
  }
  return `${passed}/${failed}/${skipped}`;
}
