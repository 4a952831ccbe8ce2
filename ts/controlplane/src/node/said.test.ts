import { expect, test } from "vitest";
import { Said } from "./said.ts";

test("one line for what stays, another when it changes, after ten minutes, or for a node that was made again", () => {
  const said = new Said();
  expect([said.isNew("n", "a", 0), said.isNew("n", "a", 1), said.isNew("m", "a", 1)]).toEqual([true, false, true]);
  expect([said.isNew("n", "b", 2), said.isNew("n", "a", 3)]).toEqual([true, true]);
  expect([said.isNew("n", "a", 600_002), said.isNew("n", "a", 600_003)]).toEqual([false, true]);
  said.forget("n");
  expect(said.isNew("n", "a", 600_004)).toBe(true);
});
