import { expect, test } from "vitest";
import { interpret } from "./node-cgroup2.ts";

const group = "/sys/fs/cgroup/terway-lab-demo/node-a/pods/1/2";
const good = [
  "@mounts 1 cgroup2",
  "@controllers cpuset cpu io memory hugetlb pids rdma misc",
  "  two nodes with containerd                            34.6 s  1.6.20~ds1",
  `@pod ${group}|cpuset cpu io memory pids|0::/terway-lab-demo/node-a/pods/1/2|3420160|6`,
  "  remove the pods                                      19.2 s",
];

const failed = (output: readonly string[], exitCode = 0) =>
  interpret({ output: output.join("\n"), exitCode })
    .filter(({ status }) => status === "failed")
    .map(({ name }) => name);

test("a good run has its steps as tests, with their times", () => {
  const results = interpret({ output: good.join("\n"), exitCode: 0 });
  expect(results.map(({ status }) => status)).toEqual(Array(6).fill("passed"));
  expect(results[3]).toEqual({ name: "demo: two nodes with containerd", status: "passed", durationMs: 34_600 });
});

test("a step, the exit status, the host or the pod's group can each fail alone", () => {
  expect(failed([...good, "  FAILED 6 pods      3.0 s"])).toEqual(["demo: 6 pods"]);
  expect(failed(good, 1)).toEqual(["demo: all of it held, and nothing is left"]);
  expect(failed(["@mounts 9 cgroup 1 cgroup2", ...good.slice(1)])).toEqual(["the host has version 2 alone"]);
  expect(failed(good.filter((line) => !line.startsWith("@pod")))).toEqual([expect.stringContaining("a container has a group")]);
});

test("a guest that went off is no success", () => {
  const results = interpret({ output: good.join("\n"), trouble: "the guest went off by itself" });
  expect(results.at(-1)).toMatchObject({ status: "failed", reason: expect.stringContaining("went off by itself") });
});
