import { expect, test } from "vitest";
import { median, percentile, ratioInterval, sorted } from "./statistics.ts";

test("percentiles interpolate between ranks", () => {
  const samples = sorted([4, 1, 3, 2]);
  expect(percentile(samples, 0)).toBe(1);
  expect(percentile(samples, 0.5)).toBe(2.5);
  expect(percentile(samples, 1)).toBe(4);
  expect(median([9, 1, 5])).toBe(5);
});

test("the interval of a ratio holds the true one and is narrow for steady samples", () => {
  const steady = (level: number) => Array.from({ length: 200 }, (_, index) => level * (1 + (index % 10) / 100));
  const { low, high } = ratioInterval(steady(6), steady(2), 0.5);
  expect(low).toBeLessThanOrEqual(3);
  expect(high).toBeGreaterThanOrEqual(3);
  expect(high - low).toBeLessThan(0.1);
});

test("the same samples give the same interval", () => {
  const samples = [3, 1, 4, 1, 5, 9, 2, 6];
  expect(ratioInterval(samples, samples, 0.9)).toEqual(ratioInterval(samples, samples, 0.9));
});
