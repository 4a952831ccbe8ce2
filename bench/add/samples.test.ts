import { expect, test } from "vitest";
import { Samples, slopeOfSecondHalf, summarize } from "./samples.ts";

test("the summary compares contenders at the same number of pods", () => {
  const samples = new Samples();
  for (const [contender, level] of [
    ["terway", 4],
    ["floor", 2],
    ["ptp", 8],
  ] as const)
    for (const verb of ["ADD", "DEL"] as const)
      for (let round = 0; round < 3; round++) samples.record({ contender, verb, parallel: 1, podsPresent: 10, ms: [level, level * 1.1] });
  samples.record({ contender: "terway", verb: "ADD", parallel: 1, podsPresent: 1000, ms: [100] });
  const [add] = summarize(samples, [1], 10);
  expect(add).toMatchObject({ verb: "ADD", parallel: 1 });
  expect(add?.ratioToFloor.p50).toBeCloseTo(2);
  expect(add?.ratioToPtp.p50).toBeCloseTo(0.5);
});

test("the slope forgets how a process grew while it warmed up", () => {
  expect(slopeOfSecondHalf([0, 50, 90, 100, 100, 100, 100, 100])).toBeCloseTo(0);
  expect(slopeOfSecondHalf([0, 1, 2, 3, 4, 5, 6, 7])).toBeCloseTo(1);
});
