import { FakeClock } from "@terway/model/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RateLimit } from "./rate-limit.ts";

/** Takes `count` at once and answers the times at which they were given. */
async function takeMany(limit: RateLimit, clock: FakeClock, count: number, action = "A"): Promise<number[]> {
  const times: number[] = [];
  await clock.advanceFor(Promise.all(Array.from({ length: count }, () => limit.take(action).then(() => times.push(clock.monotonicMs())))));
  return times;
}

describe("token bucket", () => {
  test("a minute's budget at once, then one every 60 s / limit, in order", async () => {
    const clock = new FakeClock();
    const limit = new RateLimit(clock, () => 60);
    const times = await takeMany(limit, clock, 65);
    expect(times.slice(0, 60)).toEqual(Array(60).fill(0));
    expect(times.slice(60).map((time) => Math.round(time / 100) / 10)).toEqual([1, 2, 3, 4, 5]);
  });

  test("I11: no minute holds more than the burst and what flows in", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 60 }),
        async (perMinute, gaps) => {
          const clock = new FakeClock();
          const limit = new RateLimit(clock, () => perMinute);
          const times: number[] = [];
          const all: Promise<unknown>[] = [];
          for (const gap of gaps) {
            await clock.advance(gap);
            all.push(limit.take("A").then(() => times.push(clock.monotonicMs())));
          }
          await clock.advanceFor(Promise.all(all));
          for (const [index, start] of times.entries()) {
            const inMinute = times.slice(index).filter((time) => time < start + 60_000).length;
            expect(inMinute).toBeLessThanOrEqual(2 * perMinute + 1);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test("operations do not share a bucket (fault F19)", async () => {
    const clock = new FakeClock();
    const limit = new RateLimit(clock, () => 1);
    await takeMany(limit, clock, 1, "A");
    limit.throttled("A");
    expect(await takeMany(limit, clock, 1, "B")).toEqual([0]);
  });

  test("a changed limit counts at once", async () => {
    const clock = new FakeClock();
    let perMinute = 1;
    const limit = new RateLimit(clock, () => perMinute);
    await takeMany(limit, clock, 1);
    perMinute = 600;
    const [time] = await takeMany(limit, clock, 1);
    expect(time).toBeLessThanOrEqual(101);
  });

  test("whoever gives up waiting takes no token and does not hold up the others", async () => {
    const clock = new FakeClock();
    const limit = new RateLimit(clock, () => 60);
    await takeMany(limit, clock, 60);
    const abort = new AbortController();
    const first = limit.take("A", abort.signal);
    const second = limit.take("A").then(() => clock.monotonicMs());
    abort.abort(new Error("no longer"));
    await expect(first).rejects.toThrow("no longer");
    expect(Math.round((await clock.advanceFor(second)) / 100)).toBe(10);
  });
});

describe("when the cloud throttles", () => {
  /** Calls given in the second minute after `refusals` refusals, one every two seconds. */
  async function afterRefusals(refusals: number): Promise<number> {
    const clock = new FakeClock();
    const limit = new RateLimit(clock, () => 120);
    for (let index = 0; index < refusals; index++) {
      await clock.advance(2000);
      limit.throttled("A");
    }
    const start = clock.monotonicMs();
    let given = 0;
    const abort = new AbortController();
    void (async () => {
      for (;;) {
        await limit.take("A", abort.signal);
        if (clock.monotonicMs() - start >= 60_000) return;
        given++;
      }
    })().catch(() => undefined);
    await clock.advance(60_000);
    abort.abort();
    return given;
  }

  test("each refusal halves the rate, down to a 32nd", async () => {
    expect(await afterRefusals(1)).toBeCloseTo(60, -1);
    expect(await afterRefusals(2)).toBeCloseTo(30, -1);
    expect(await afterRefusals(9)).toBeGreaterThanOrEqual(3);
    expect(await afterRefusals(9)).toBeLessThanOrEqual(5);
  });

  test("refusals of calls that were under way together count once", async () => {
    const clock = new FakeClock();
    const limit = new RateLimit(clock, () => 60);
    await clock.advance(5000);
    for (let index = 0; index < 10; index++) limit.throttled("A");
    const [time] = await takeMany(limit, clock, 1);
    expect(time).toBeLessThanOrEqual(7001);
  });

  test("success brings the rate back", async () => {
    const clock = new FakeClock();
    const limit = new RateLimit(clock, () => 600);
    await clock.advance(5000);
    limit.throttled("A");
    for (let index = 0; index < 25; index++) limit.succeeded("A");
    await clock.advance(60_000);
    expect((await takeMany(limit, clock, 600)).at(-1)).toBeLessThanOrEqual(65_001);
  });
});

test("ten processes that know nothing of each other share one quota: it is used up, and nobody hammers", async () => {
  const clock = new FakeClock();
  const quota = 300;
  const minutes = 20;
  const windows = new Map<number, { given: number; refused: number }>();
  const abort = new AbortController();
  for (let index = 0; index < 10; index++) {
    const limit = new RateLimit(clock, () => quota);
    void (async () => {
      await clock.sleep(index * 37, abort.signal);
      for (;;) {
        await limit.take("A", abort.signal);
        const minute = Math.floor(clock.monotonicMs() / 60_000);
        const window = windows.get(minute) ?? { given: 0, refused: 0 };
        windows.set(minute, window);
        if (window.given < quota) {
          window.given++;
          limit.succeeded("A");
        } else {
          window.refused++;
          limit.throttled("A");
          await clock.sleep(1000, abort.signal);
        }
      }
    })().catch(() => undefined);
  }
  await clock.advance(minutes * 60_000);
  abort.abort();
  const settled = [...windows.values()].slice(1, minutes - 1);
  expect(settled).toHaveLength(minutes - 2);
  for (const { given, refused } of settled) {
    expect(given).toBeGreaterThanOrEqual(0.95 * quota);
    expect(refused / 10).toBeLessThanOrEqual(10);
  }
});
