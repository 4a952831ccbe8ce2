import { CloudError } from "@terway/model";
import { FakeClock } from "@terway/model/testing";
import { expect, test } from "vitest";
import { DegradationLevels } from "./levels.ts";

const failure = new CloudError("x", { class: "transient", code: "InternalError", action: "A" });

test("by itself it follows the calls; by hand it stays, and forgets nothing that it has to say", () => {
  const levels = new DegradationLevels(new FakeClock(), { level: "none", thresholds: { l1: 1, l0: 3 } });
  const seen: string[] = [];
  levels.listen(() => seen.push(`${levels.level}: ${levels.reason}`));
  levels.record(failure);
  levels.configure({ level: "l0" });
  levels.configure({ level: "l0" });
  expect([levels.forCall(), levels.level]).toEqual(["l0", "l0"]);
  levels.configure({ level: "none", thresholds: { l1: 1, l0: 3 } });
  levels.record(undefined);
  levels.configure({ level: "none" });
  expect(seen).toEqual([
    "l1: 1 calls have failed one after another, the last with InternalError",
    "l0: by hand, with key degradation of ctrl-config.yaml",
    "l1: 1 calls have failed one after another, the last with InternalError",
    "none: 1 calls have succeeded one after another",
    "none: 1 calls have succeeded one after another",
  ]);
});
