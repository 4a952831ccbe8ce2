import { expect, it } from "vitest";
import { ScriptedClock } from "./scripted-clock.ts";

it("runs timers in the order of their times, and those that timers set", async () => {
  const clock = new ScriptedClock(1000);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b at ${clock.wallMs()}`));
  clock.after(10, () => {
    seen.push(`a at ${clock.wallMs()}`);
    clock.after(5, () => seen.push(`a2 at ${clock.wallMs()}`));
  });
  clock.after(20, () => seen.push("c"));
  const cancel = clock.after(1, () => seen.push("never"));
  cancel();
  await clock.advance(19);
  expect(seen).toEqual(["a at 1010", "a2 at 1015"]);
  await clock.advance(1);
  expect(seen.slice(2)).toEqual(["b at 1020", "c"]);
  expect(clock.monotonicMs()).toBe(20);
});

it("counts what promise work sets between two timers", async () => {
  const clock = new ScriptedClock();
  let done = false;
  void (async () => {
    await clock.sleep(10);
    await clock.sleep(10);
    done = true;
  })();
  await clock.advance(20);
  expect(done).toBe(true);
  expect(clock.pending).toBe(0);
});

it("rejects a sleep that is aborted and forgets its timer", async () => {
  const clock = new ScriptedClock();
  const abort = new AbortController();
  const sleep = clock.sleep(10, abort.signal);
  abort.abort(new Error("enough"));
  await expect(sleep).rejects.toThrow("enough");
  expect(clock.pending).toBe(0);
});
