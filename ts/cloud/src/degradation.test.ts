import { CloudError, type CloudErrorClass } from "@terway/model";
import { FakeClock } from "@terway/model/testing";
import { beforeEach, expect, test } from "vitest";
import { Degradation } from "./degradation.ts";

let clock: FakeClock;
let degradation: Degradation;
let enabled: boolean;
let changes: string[];
beforeEach(() => {
  clock = new FakeClock();
  enabled = true;
  changes = [];
  degradation = new Degradation({
    clock,
    thresholds: () => (enabled ? { l1: 2, l0: 4 } : undefined),
    onChange: (level) => changes.push(level),
    restMs: 10_000,
    mostRestMs: 25_000,
  });
});
const fail = (times: number, kind: CloudErrorClass = "transient") => {
  for (let count = 0; count < times; count++) degradation.record(new CloudError("x", { class: kind, code: "X", action: "A" }));
};
const succeed = (times: number) => {
  for (let count = 0; count < times; count++) degradation.record(undefined);
};

test("entered by failures in a row, and left by as many successes", () => {
  fail(1);
  succeed(1);
  fail(1);
  expect(degradation.level).toBe("none");
  fail(1);
  expect(degradation.level).toBe("l1");
  succeed(1);
  expect(degradation.level).toBe("l1");
  succeed(1);
  expect(degradation.level).toBe("none");
});

test("a refusal is an answer", () => {
  for (const kind of ["denied", "quota", "exhausted", "invalid", "conflict", "gone"] as const) fail(3, kind);
  expect(degradation.level).toBe("none");
});

test("at L0 one call tries after a rest that grows; when it succeeds nothing is released for a while yet", async () => {
  fail(4);
  expect(degradation.forCall()).toBe("l0");
  await clock.advance(10_000);
  expect([degradation.forCall(), degradation.forCall()]).toEqual(["l1", "l0"]);
  fail(1);
  await clock.advance(19_999);
  expect(degradation.forCall()).toBe("l0");
  await clock.advance(1);
  expect(degradation.forCall()).toBe("l1");
  succeed(1);
  expect(degradation.forCall()).toBe("l1");
  succeed(1);
  expect(degradation.forCall()).toBe("none");
  expect(changes).toEqual(["l1", "l0", "l1", "none"]);
});

test("switched off it ends at the next call", () => {
  fail(4);
  enabled = false;
  expect(degradation.forCall()).toBe("none");
});
