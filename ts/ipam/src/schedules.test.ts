import { describe, expect, it } from "vitest";
import { Schedule } from "./testing/schedule.ts";

/** TERWAY_SCHEDULES: how many; TERWAY_SEED: the first one, printed by a failure. */
const count = Number(process.env.TERWAY_SCHEDULES ?? 1_200);
const firstSeed = Number(process.env.TERWAY_SEED ?? 1);

async function live(seed: number, crashes: boolean, exclusive = false): Promise<Schedule> {
  const schedule = new Schedule({ seed, steps: 60, crashes, exclusive });
  await schedule.run();
  await schedule.finish();
  return schedule;
}

describe("random schedules keep I1–I11 and I16", () => {
  it("with crashes at named steps and anywhere", async () => {
    let kills = 0;
    for (let seed = firstSeed; seed < firstSeed + count; seed += 1) kills += (await live(seed, true)).kills;
    if (count > 100) expect(kills).toBeGreaterThan(count / 2);
  }, 120_000);

  it("without crashes", async () => {
    for (let seed = firstSeed; seed < firstSeed + count / 2; seed += 1) await live(seed, false);
  }, 120_000);

  it("with whole ENIs, with crashes", async () => {
    for (let seed = firstSeed; seed < firstSeed + count / 2; seed += 1) await live(seed, true, true);
  }, 120_000);

  it("with whole ENIs, without crashes", async () => {
    for (let seed = firstSeed; seed < firstSeed + count / 4; seed += 1) await live(seed, false, true);
  }, 120_000);

  it("replays a seed to the same calls at the same times", async () => {
    const [a, b] = [await live(firstSeed, true), await live(firstSeed, true)];
    expect(b.node.cloud.calls).toEqual(a.node.cloud.calls);
    expect(b.livePods()).toEqual(a.livePods());
  });
});
