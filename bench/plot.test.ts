import { expect, test } from "vitest";
import { barChart } from "./plot.ts";

test("bars are as long as their values, and labels cannot break the document", () => {
  const bars = [
    { label: "half", value: 0.5, low: 0.4, high: 0.6 },
    { label: "one", value: 1, low: 0.9, high: 1 },
  ];
  const svg = barChart({ title: "a < b & c", reference: 1, groups: [{ label: "g", bars }] });
  const widths = [...svg.matchAll(/width="([\d.]+)" height="14"/g)].map(([, width]) => Number(width));
  expect(widths).toHaveLength(2);
  expect((widths[0] ?? 0) / (widths[1] ?? 1)).toBeCloseTo(0.5, 2);
  expect(svg).toContain("a &lt; b &amp; c");
});
