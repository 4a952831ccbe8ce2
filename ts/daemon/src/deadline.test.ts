import { FakeClock } from "@terway/model/testing";
import { expect, test } from "vitest";
import { Deadline } from "./deadline.ts";

test("keeps time back for the answer, and more for the reason of a step", async () => {
  const clock = new FakeClock();
  const deadline = new Deadline(clock, 10_000);
  expect(deadline.remainingMs()).toBe(9_850);
  expect(deadline.stepMs()).toBe(9_800);
  await clock.advance(9_849);
  expect([deadline.remainingMs(), deadline.stepMs()]).toEqual([1, 1]);
  expect(new Deadline(clock, 100).remainingMs()).toBe(50);
});

test("a call ends at its deadline, whatever the work does, and leaves no timer behind", async () => {
  const clock = new FakeClock();
  const late = new Deadline(clock, 1_000).race(new Promise(() => {}), () => new Error("late"));
  const caught = late.catch((error: unknown) => error);
  await clock.advance(850);
  expect(await caught).toEqual(new Error("late"));
  expect(await new Deadline(clock, 1_000).race(Promise.resolve("done"), () => new Error("late"))).toBe("done");
  expect(clock.pending).toBe(0);
});
