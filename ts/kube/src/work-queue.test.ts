import { FakeClock, SeededRandom, settle } from "@terway/model/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { WorkQueue } from "./work-queue.ts";

test("a key is never worked on twice at once, and every addition is followed by work that began after it", async () => {
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant("add" as const), key: fc.constantFrom("a", "b", "c") }) },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant("addAfter" as const),
        key: fc.constantFrom("a", "b", "c"),
        ms: fc.integer({ min: 1, max: 50 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ type: fc.constant("finish" as const), fails: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 30 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (actions, workers) => {
      const clock = new FakeClock();
      const running = new Map<string, PromiseWithResolvers<undefined>>();
      const lastAdded = new Map<string, number>();
      const lastBegun = new Map<string, number>();
      let step = 0;
      const queue = new WorkQueue({
        clock,
        random: new SeededRandom(1),
        workers,
        work: (key) => {
          expect(running.has(key)).toBe(false);
          expect(running.size).toBeLessThan(workers);
          const end = Promise.withResolvers<undefined>();
          running.set(key, end);
          lastBegun.set(key, step);
          return end.promise;
        },
      });
      const finish = async (fails: boolean) => {
        const [first] = running;
        if (first === undefined) return;
        running.delete(first[0]);
        if (fails) first[1].reject(new Error("fails"));
        else first[1].resolve(undefined);
        await settle();
      };
      for (const item of actions) {
        step += 1;
        if (item.type === "add") {
          lastAdded.set(item.key, step);
          queue.add(item.key);
        } else if (item.type === "addAfter") {
          queue.addAfter(item.key, item.ms);
        } else if (item.type === "finish") await finish(item.fails);
        else await clock.advance(item.ms);
      }
      for (let rounds = 0; rounds < 200; rounds += 1) {
        await clock.advance(100);
        await finish(false);
      }
      expect(running.size).toBe(0);
      expect(queue.depth).toBe(0);
      for (const [key, added] of lastAdded) expect(lastBegun.get(key)).toBeGreaterThanOrEqual(added);
    }),
    { numRuns: 150 },
  );
});

test("failures of a key come back with doubling delays, and a success forgets them", async () => {
  const clock = new FakeClock();
  const at: number[] = [];
  let failures = 4;
  const queue = new WorkQueue({
    clock,
    random: new SeededRandom(1),
    workers: 1,
    work: async () => {
      at.push(clock.monotonicMs());
      if (failures-- > 0) throw new Error("not yet");
      return undefined;
    },
  });
  queue.add("a");
  await clock.advance(1000);
  expect(at).toEqual([0, 5, 15, 35, 75]);
  failures = 1;
  queue.add("a");
  await clock.advance(1000);
  expect(at.slice(5)).toEqual([1000, 1005]);
});

test("stop waits for what is worked on and begins nothing more", async () => {
  const clock = new FakeClock();
  const end = Promise.withResolvers<undefined>();
  const worked: string[] = [];
  const queue = new WorkQueue({
    clock,
    random: new SeededRandom(1),
    workers: 1,
    work: (key) => {
      worked.push(key);
      return end.promise;
    },
  });
  queue.add("a");
  queue.add("b");
  queue.addAfter("c", 10);
  let stopped = false;
  const stop = queue.stop().then(() => {
    stopped = true;
  });
  await clock.advance(100);
  expect(stopped).toBe(false);
  end.resolve(undefined);
  await stop;
  await clock.advance(100);
  expect(worked).toEqual(["a"]);
});
