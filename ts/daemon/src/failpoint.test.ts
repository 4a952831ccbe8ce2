import { expect, test } from "vitest";
import { openFailpoint } from "./failpoint.ts";

function killsAt(setting: string | undefined, steps: readonly string[]): number | undefined {
  let killed: number | undefined;
  let at = 0;
  const failpoint = openFailpoint(setting, () => {
    killed ??= at;
  });
  for (const [index, step] of steps.entries()) {
    at = index;
    failpoint(step);
  }
  return killed;
}

test.each([
  [undefined, ["a.b", "a.b"], undefined],
  ["a.b", ["x", "a.b"], 1],
  ["a.b:2", ["a.b", "x", "a.b", "a.b"], 2],
  ["a.b@add", ["a.b", "call.del", "a.b", "call.add", "a.b"], 4],
  ["a.b@add:2", ["a.b", "call.add", "a.b", "a.b"], 3],
])("%s", (setting, steps, index) => {
  expect(killsAt(setting, steps)).toBe(index);
});

test("a hook that cannot be read stops the start", () => {
  expect(() => openFailpoint("a b", () => {})).toThrow("STEP[@VERB][:N]");
});
