import { expect, test } from "vitest";
import { parseGoDuration } from "./duration.ts";

test.each([
  ["0", 0],
  ["10m", 600_000],
  ["1h30m", 5_400_000],
  ["1.5s", 1500],
  [".5s", 500],
  ["300ms", 300],
  ["2h0m0.25s", 7_200_250],
  ["1500us", 1.5],
])("%s is %d ms", (text, ms) => {
  expect(parseGoDuration(text)).toBeCloseTo(ms, 9);
});

test.each(["", "10", "s", "-1s", "1d", "1 s", "1s ", "..5s", "1e3s", "infinity"])("%j is none", (text) => {
  expect(parseGoDuration(text)).toBeUndefined();
});
