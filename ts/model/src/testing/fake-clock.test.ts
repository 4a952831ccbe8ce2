import { describe, expect, it } from "vitest";
import { FakeClock } from "./fake-clock.ts";
import { SeededRandom } from "./seeded-random.ts";

describe("FakeClock", () => {
  it("runs timers in due order, and what they set off before the next one", async () => {
    const clock = new FakeClock(0);
    const seen: string[] = [];
    clock.after(20, () => seen.push(`b@${clock.monotonicMs()}`));
    clock.after(20, () => seen.push(`c@${clock.monotonicMs()}`));
    clock.after(10, () => {
      void Promise.resolve()
        .then(() => undefined)
        .then(() => clock.after(5, () => seen.push(`a@${clock.monotonicMs()}`)));
    });
    clock.after(30, () => seen.push("cancelled"))();
    await clock.advance(25);
    expect(seen).toEqual(["a@15", "b@20", "c@20"]);
    expect(clock.monotonicMs()).toBe(25);
  });

  it("keeps durations when the wall clock jumps", async () => {
    const clock = new FakeClock(1_000);
    clock.jumpWall(-500);
    await clock.advance(10);
    expect([clock.wallMs(), clock.monotonicMs()]).toEqual([510, 10]);
  });

  it("rejects a sleep that is aborted and forgets its timer", async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const slept = clock.sleep(1_000, abort.signal);
    abort.abort(new Error("stop"));
    await expect(slept).rejects.toThrow("stop");
    expect(clock.pending).toBe(0);
  });

  it("says so when awaited time runs out", async () => {
    const clock = new FakeClock();
    await expect(clock.advanceFor(new Promise(() => {}), 100)).rejects.toThrow("100 ms of fake time");
  });
});

describe("SeededRandom", () => {
  it("repeats itself from the same seed and stays within its bounds", () => {
    const [a, b] = [new SeededRandom(7), new SeededRandom(7)];
    for (let i = 0; i < 1_000; i += 1) {
      const value = a.integer(3, 9);
      expect(value).toBe(b.integer(3, 9));
      expect(value >= 3 && value < 9).toBe(true);
    }
    expect(a.uuid()).toBe(b.uuid());
    expect(a.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
