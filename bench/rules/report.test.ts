import { expect, test } from "vitest";
import { rows, type Sample } from "./report.ts";

const samples = (["floor", "per_pod", "compact"] as const).flatMap((form) =>
  [10, 1000].flatMap((pods) =>
    (["forward", "connect", "connect_pod"] as const).flatMap((what) =>
      (["ipv4", "ipv6"] as const).flatMap((family) =>
        [1, 2, 3].map((round): Sample => ({ what, family, form, pods, round, us: form === "per_pod" ? pods : 2 })),
      ),
    ),
  ),
);

test("each form is compared with the floor of its own family and number of pods", () => {
  const found = rows(samples);
  expect(found).toHaveLength(36);
  const ratio = (form: Sample["form"], pods: number) =>
    found.find((row) => row.what === "forward" && row.family === "ipv6" && row.form === form && row.pods === pods)?.ratio;
  expect([ratio("per_pod", 10), ratio("per_pod", 1000), ratio("compact", 1000)]).toEqual([5, 500, 1]);
});
