import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { script, within } from "../daemon/support/within.ts";
import { directions, put, ruleSpec } from "./cases/case.ts";
import { randomCases } from "./cases/random.ts";
import { named, sliceCases } from "./cases/slice.ts";
import { Ground } from "./ground.ts";
import { describe } from "./measure.ts";
import { mistakes, runCase } from "./run.ts";
import { addressesOf } from "./scene.ts";

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.create({ stack: "dual" });
}, 120_000);
afterAll(() => ground?.close());

const wrong = async (one: Parameters<typeof runCase>[1]) =>
  mistakes(await runCase(ground, one)).map(({ step, probe }) => `after ${step}: ${describe(probe)}`);
test.each(sliceCases)("$name", async (one) => {
  expect(await wrong(one)).toEqual([]);
});

test("policies at random", async () => {
  for (const one of randomCases(2, 7)) expect(await wrong(one)).toEqual([]);
});

const streamSchema = z.object({ sent: z.number(), received: z.number(), problem: z.string().optional() });

test.each(directions)("%s: a change cuts the live connections that it forbids, and no other", async (direction) => {
  const others = ["x/b", "x/c", "y/a", "y/b"];
  await ground.settle(ground.base);
  const streams = await Promise.all(
    others.map(async (other) => {
      const [client, server] = direction === "Ingress" ? [other, "x/a"] : ["x/a", other];
      return within(ground.netnsOf(client), [...script("steady-stream.ts"), addressesOf(ground.base, server)[0] ?? "", "80"]);
    }),
  );
  const step = put(ruleSpec(direction, [{ podSelector: {} }], undefined));
  await ground.settle(step.change(ground.base, ground.surroundings));
  // So long, what is forbidden could get through.
  await sleep(1_000);
  for (const { child } of streams) child.kill("SIGTERM");
  const ends = await Promise.all(streams.map(async ({ lines }) => streamSchema.parse(JSON.parse(String((await lines.next()).value)))));
  for (const [index, { sent, received, problem }] of ends.entries()) {
    const lost = sent - received;
    if (others[index]?.startsWith("x/")) expect([others[index], lost, problem]).toEqual([others[index], 0, undefined]);
    else expect([others[index], lost > 100]).toEqual([others[index], true]);
  }
});

test("where NetworkPolicy is switched off the table fails, in everything that must be denied and in nothing else", async () => {
  await ground.switchEnforcement(false);
  await ground.awaitEnforcement(false);
  const [step] = (await runCase(ground, named("deny both"))).steps;
  expect(step?.probes.filter(({ expected }) => !expected).length).toBeGreaterThan(500);
  for (const { expected, wrong: what } of step?.probes ?? []) {
    expect(what).toBe(expected ? undefined : "answered, though no rule allows it");
  }
  await ground.switchEnforcement(true);
  await ground.awaitEnforcement(true);
  expect(await wrong(named("deny both"))).toEqual([]);
});
