import { FakeClock } from "@terway/model/testing";
import { expect, test } from "vitest";
import { Answers } from "./answers.ts";

const kept = (answer: string) => answer !== "failed";

test("a request that is sent again gets the same answer, for a while; a failure is tried again", async () => {
  const clock = new FakeClock();
  const answers = new Answers<string>(clock, { keepMs: 1_000, limit: 10 });
  let runs = 0;
  const work = (answer: string) => async () => `${answer}${++runs}`;
  expect(await Promise.all([answers.once("a", work("x"), kept), answers.once("a", work("x"), kept)])).toEqual(["x1", "x1"]);
  await clock.advance(999);
  expect(await answers.once("a", work("x"), kept)).toBe("x1");
  await clock.advance(1);
  expect(await answers.once("a", work("x"), kept)).toBe("x2");
  await answers.once("b", async () => "failed", kept);
  expect(await answers.once("b", work("y"), kept)).toBe("y3");
  await expect(answers.once("c", () => Promise.reject(new Error("bug")), kept)).rejects.toThrow("bug");
  expect(await answers.once("c", work("z"), kept)).toBe("z4");
});

test("memory is bounded: the oldest finished answers go first, those under way stay (I15)", async () => {
  const clock = new FakeClock();
  const answers = new Answers<string>(clock, { keepMs: 60_000, limit: 3 });
  let finish: (answer: string) => void = () => {};
  const slow = answers.once("slow", () => new Promise<string>((resolve) => (finish = resolve)), kept);
  for (let i = 0; i < 50; i++) await answers.once(`r${i}`, async () => "done", kept);
  expect(answers.size).toBeLessThanOrEqual(4);
  expect(answers.once("slow", async () => "again", kept)).toBe(slow);
  finish("first");
  expect(await slow).toBe("first");
});
