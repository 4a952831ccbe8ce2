import { expect, test } from "vitest";
import type { TestResult } from "../runner/result.ts";
import { cell, type KernelRun, matrixTables, readProbe, withoutProvenSkips } from "./matrix.ts";

const probe = readProbe(
  "@release 6.1.0-1\nnoise\n@feature veth available\n@feature ipvlan available\n@feature netkit lacking: Unknown device type\n",
);
const result = (name: string, status: TestResult["status"]): TestResult =>
  status === "passed" ? { name, status } : { name, status, reason: "told" };
const run = (...results: TestResult[]): KernelRun => ({ kernel: "6.1", ...probe, results });

test("a cell is what its tests say, and the worst of them counts", () => {
  const seen = run(
    result("6.1 rules::policy_route_dual_a", "passed"),
    result("6.1 rules::policy_route_dual_b", "failed"),
    result("6.1 links::ipvlan_v4_x", "passed"),
    result("6.1 links::ipvlan_v4_y", "passed"),
  );
  expect(cell(seen, "policy_route", "dual")).toEqual({ kind: "failed", names: ["6.1 rules::policy_route_dual_b"] });
  expect(cell(seen, "ipvlan", "v4")).toEqual({ kind: "passed", tests: 2 });
});

test("only the probe makes a cell unavailable, never a skip alone", () => {
  const seen = run(result("6.1 links::netkit_v4_x", "skipped"), result("6.1 links::ipvlan_v4_x", "skipped"));
  expect(cell(seen, "netkit", "v4")).toEqual({ kind: "unavailable", reason: "netkit: Unknown device type" });
  expect(cell(seen, "ipvlan", "v4")).toEqual({ kind: "untested" });
  expect(withoutProvenSkips(seen).map(({ name }) => name)).toEqual(["6.1 links::ipvlan_v4_x"]);
  expect(withoutProvenSkips(run(result("6.1 policy_hooks::policy_hooks_decide_netkit", "skipped")))).toEqual([]);
  // Without a probe nothing is proven.
  expect(cell({ ...seen, features: new Map() }, "netkit", "v4")).toEqual({ kind: "untested" });
});

test("a mode that fails although the probe says it lacks something has failed", () => {
  expect(cell(run(result("6.1 links::netkit_v6_x", "failed")), "netkit", "v6").kind).toBe("failed");
});

test("the tables name kernels, cells, reasons and failures", () => {
  const page = matrixTables([run(result("6.1 rules::policy_route_v4_a", "passed"))]);
  expect(page).toContain("| policy_route | v4 | 1 passed |");
  expect(page).toContain("| netkit | v6 | not available |");
  expect(page).toContain("| netkit | 6.1.0-1 | netkit: Unknown device type |");
  expect(page).not.toContain("failed");
  expect(matrixTables([run(result("6.1 rules::other", "failed"))])).toContain("- 6.1.0-1: `6.1 rules::other`");
});
