import { expect, test } from "vitest";
import type { PathSamples } from "./measure.ts";
import { ratiosOf, smokeOptions } from "./run.ts";

const set = (pair: string, podsPresent: number, us: number): PathSamples => ({
  topology: "across nodes",
  pair,
  family: "ipv4",
  kind: "rr",
  podsPresent,
  rate: [1, 1],
  p50Us: [us, us],
  p99Us: [us, us],
});

test("a pair that needs more time has a smaller ratio, and only like is compared with like", () => {
  const samples = [
    set("floor", 2, 10),
    set("pods", 2, 20),
    set("host", 2, 5),
    set("pods", 4, 40),
    { ...set("host", 4, 5), kind: "crr" as const },
  ];
  const rows = ratiosOf(samples, smokeOptions).map(({ ours, theirs, ratio }) => [
    ours.pair,
    ours.podsPresent,
    theirs.pair,
    theirs.podsPresent,
    ratio,
  ]);
  expect(rows).toEqual([
    ["pods", 2, "floor", 2, 0.5],
    ["pods", 2, "host", 2, 0.25],
    ["pods", 4, "pods", 2, 0.5],
  ]);
});
