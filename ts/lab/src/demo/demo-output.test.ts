import { expect, test } from "vitest";
import { type Endpoint, type Measurement, pathKind, renderFailures, renderMatrix, renderSummary } from "./matrix.ts";
import { Progress } from "./progress.ts";
import { table } from "./table.ts";

function endpoint(name: string, kind: Endpoint["kind"], node: string | undefined): Endpoint {
  return { name, kind, node, ipv4: "10.0.0.1", ipv6: "fd00::1", netns: "" };
}
const a1 = endpoint("a1", "pod", "a");
const a2 = endpoint("a2", "pod", "a");
const b1 = endpoint("b1", "pod", "b");
const nodeA = endpoint("node-a", "node", "a");
const far = endpoint("elsewhere", "elsewhere", undefined);

test("a table pads its columns to the widest cell", () => {
  expect(table(["pod", "address"], [["web-1", "10.0.0.7"]])).toBe("  pod    address\n  -----  --------\n  web-1  10.0.0.7");
});

test("paths are grouped by what they cross", () => {
  expect(pathKind(a1, a2)).toBe("pod → pod, same node");
  expect(pathKind(a1, b1)).toBe("pod → pod, across nodes");
  expect(pathKind(nodeA, b1)).toBe("node → pod, across nodes");
  expect(pathKind(far, b1)).toBe("elsewhere → pod");
  expect(pathKind(nodeA, far)).toBe("between machines");
});

test("a probe without an answer shows in the cell, in the summary and by itself", () => {
  const measurements: Measurement[] = [
    { from: a1, to: b1, protocol: "tcp", family: 4, ms: 0.5 },
    { from: a1, to: b1, protocol: "udp", family: 6, ms: undefined, error: "timed out" },
  ];
  expect(renderMatrix([a1, b1], measurements).split("\n")[2]).toMatch(/a1 +· +1\/2$/);
  expect(renderSummary(measurements)).toMatch(/across nodes +1\/1 0\.50 ms +0\/0 +0\/0 +0\/1/);
  expect(renderFailures(measurements)).toEqual(["a1 → b1 UDP fd00::1: timed out"]);
});

test("without a terminal a step is one plain line, written when it has ended, also when it failed", async () => {
  const written: string[] = [];
  const progress = new Progress({ write: (text) => written.push(text) });
  await progress.step("good", async (note) => note("3 pods"));
  await expect(progress.step("bad", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(written).toHaveLength(2);
  expect(written[0]).toMatch(/^ {2}good +0\.0 s {2}3 pods\n$/);
  expect(written[1]).toMatch(/^ {2}FAILED bad +0\.0 s\n$/);
});

test("on a terminal the running step is redrawn in place", async () => {
  const written: string[] = [];
  await new Progress({ isTTY: true, write: (text) => written.push(text) }).step("work", async () => {});
  expect(written[0]).toMatch(/^\r.\[K {2}work/);
  expect(written.at(-1)).toMatch(/\n$/);
});
