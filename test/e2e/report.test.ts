import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { groupOf, readReport, type SpecResult, table } from "./report.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "terway-e2e-report-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A report of one suite, with what Ginkgo 2 writes of a spec. */
async function reportOf(specs: readonly object[]): Promise<string> {
  const file = join(folder, "report.json");
  await writeFile(file, JSON.stringify([{ SuiteSucceeded: false, SpecReports: specs }]));
  return file;
}
const it = { ContainerHierarchyTexts: ["[sig-network] Services"], LeafNodeType: "It", RunTime: 1_540_000_000 };

test("a spec that the report does not name has failed, and so has one that was cut off", async () => {
  const file = await reportOf([
    { ...it, LeafNodeText: "should a", State: "passed" },
    { ...it, LeafNodeText: "should b", State: "timedout", Failure: { Message: "too slow" } },
    { ...it, LeafNodeText: "should c", State: "skipped", Failure: { Message: "needs a cloud" } },
    { ...it, LeafNodeText: "not asked for", State: "skipped" },
  ]);
  const names = ["a", "b", "c", "d"].map((name) => `[sig-network] Services should ${name}`);
  const results = await readReport(file, names);
  expect(results.map(({ state, message }) => [state, message])).toEqual([
    ["passed", undefined],
    ["failed", "too slow"],
    ["skipped", "needs a cloud"],
    ["failed", "the suite's report does not name it"],
  ]);
  expect(results[0]).toMatchObject({ spec: names[0], seconds: 1.5 });
});

test("what fails before or after all specs is told; its success is no spec", async () => {
  const node = { ContainerHierarchyTexts: null, LeafNodeText: "", RunTime: 0 };
  const file = await reportOf([
    { ...node, LeafNodeType: "SynchronizedBeforeSuite", State: "passed" },
    { ...node, LeafNodeType: "SynchronizedAfterSuite", State: "failed", Failure: { Message: "no" } },
  ]);
  expect(await readReport(file, [])).toEqual([{ spec: "SynchronizedAfterSuite", state: "failed", seconds: 0, message: "no" }]);
});

test("groups are named as the suite names its parts", () => {
  expect(groupOf("[sig-network] Services should serve a basic endpoint from pods [Conformance]")).toBe("Services");
  expect(groupOf("[sig-network] HostPort validates that there is no conflict")).toBe("HostPort");
  expect(groupOf("[sig-network] Networking Granular Checks: Pods should function for intra-pod communication: http")).toBe(
    "Networking Granular Checks",
  );
  expect(groupOf("[sig-network] [Feature:IPv6DualStack] should create pod, add ipv6 and ipv4 ip to pod ips")).toBe("IPv6DualStack");
  expect(
    groupOf("[sig-network] Netpol [Feature:SCTPConnectivity] [LinuxOnly] NetworkPolicy between server and client using SCTP should"),
  ).toBe("Netpol NetworkPolicy");
});

test("the table has a line for each group and their sum", () => {
  const result = (spec: string, state: SpecResult["state"]): SpecResult => ({ spec: `[sig-network] ${spec}`, state, seconds: 2 });
  const lines = table(
    [result("DNS should a", "passed"), result("DNS should b", "failed"), result("Netpol [X] should", "skipped")],
    ["[sig-network] Netpol [X] should not"],
  ).split("\n");
  expect(lines.map((line) => line.trim().split(/ +/))).toEqual([
    ["passed", "failed", "skipped", "omitted", "seconds"],
    ["DNS", "1", "1", "0", "0", "4"],
    ["Netpol", "0", "0", "1", "1", "2"],
    ["all", "1", "1", "1", "1", "6"],
  ]);
});
