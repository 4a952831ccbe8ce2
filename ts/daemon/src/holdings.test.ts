import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { GivenLeases } from "./given-leases.ts";
import { openHoldings } from "./holdings.ts";
import { sampleLease } from "./testing/samples.ts";
import { UnopenedPool } from "./unopened-pool.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-given-"));
});
afterEach(() => rm(directory, { recursive: true }));

const pool = new UnopenedPool(() => ({ class: "full", code: "none", message: "no pool", sinceMs: 0 }));
const open = async () => {
  const { given, problems } = await GivenLeases.open(directory);
  return { holdings: openHoldings(() => pool, given), problems };
};
const [first, second] = [sampleLease({ state: "intent" }), sampleLease({ id: "c0ffee/eth1", state: "intent", generation: 8 })];

test("what was given survives a restart in its state, with who owns it", async () => {
  const { holdings } = await open();
  await holdings.take(first.id, first);
  await holdings.take(first.id, second);
  await holdings.bound(first.id);
  const { holdings: again } = await open();
  expect(again.lease(first.id)).toEqual({ ...first, state: "bound" });
  expect(again.companions(first.id)).toEqual([second.id]);
  expect(again.companions(second.id)).toEqual([]);
  expect(again.ownerOf(second.id)).toBe(first.id);
  expect(again.ownerOf("unknown/eth0")).toBe("unknown/eth0");
  expect(again.nextGeneration()).toBe(9);
});

test("a release is durable at both ends, and may come again", async () => {
  const { holdings } = await open();
  await holdings.take(first.id, first);
  expect(await holdings.beginRelease(first.id)).toMatchObject({ state: "releasing" });
  expect((await open()).holdings.lease(first.id)).toMatchObject({ state: "releasing" });
  await holdings.finishRelease(first.id);
  await holdings.finishRelease(first.id);
  expect(holdings.leases()).toEqual([]);
  expect(await readdir(directory)).toEqual([]);
});

test("a file that cannot be read is named and left alone", async () => {
  await writeFile(join(directory, "broken.json"), "{");
  const { holdings, problems } = await open();
  expect(problems).toEqual([expect.stringContaining("broken.json")]);
  expect(holdings.leases()).toEqual([]);
  expect(await readdir(directory)).toEqual(["broken.json"]);
});
