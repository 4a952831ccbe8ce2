import { join } from "node:path";
import { openDatapath } from "@terway/datapath";
import { until } from "@terway/lab";
import type { PolicyEntry } from "@terway/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApiCluster } from "../../ts/policy/src/testing/api.ts";
import { PolicyWorld } from "./support/policy-world.ts";

let world: PolicyWorld;
beforeAll(async () => {
  world = await PolicyWorld.create();
}, 120_000);
afterAll(() => world?.close());

const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });
const toB = (port: number): ApiCluster => ({
  ...world.cluster,
  policies: [
    { metadata: { namespace: "x", name: "b-takes-a" }, spec: { ...app("b"), ingress: [{ from: [app("a")], ports: [{ port }] }] } },
  ],
});

const reaches = (port: number) => world.reaches(world.netnsOf("x/a"), "x/b", port);
const passes = async () => [await reaches(80), await reaches(81)];
const fullCount = async () => Number(/^terway_policy_tables_full_total (\d+)$/m.exec((await world.node.get("/metrics")).text)?.[1] ?? 0);

/** Fills the table of entries with those of a set that nobody has: as many as there is room for. */
async function fill(): Promise<void> {
  const { policy, close } = openDatapath({ bpffs: join(world.node.directory, "bpf") });
  const step = { blocks: [], goneBlocks: [], peers: [], gonePeers: [], pods: [], gonePods: [], bump: false };
  let size = 60_000;
  for (let number = 2; size >= 1; number += 1) {
    const entries = Array.from(
      { length: size },
      (_, port): PolicyEntry => ({ class: number.toString(16), protocol: 6, from: port, to: port, rule: 1 }),
    );
    const outcome = await policy.apply({ ...step, sets: [{ set: "dead", entries }] });
    if (outcome.ok) continue;
    expect(outcome.error.code).toBe("full");
    size = Math.floor(size / 4);
  }
  await close(1_000);
}

test("when the table is full the policy in force stays whole, an event and a metric say so, and the change follows when there is room", async () => {
  await world.settle(toB(80));
  expect(await passes()).toEqual([true, false]);
  await fill();
  await world.settle(toB(81));
  expect(await passes()).toEqual([true, false]);
  expect(await fullCount()).toBeGreaterThan(0);
  const { stdout } = await world.node.cli("events");
  expect(stdout).toMatch(/NetworkPolicyNotApplied.*the map POLICY is full at 262144 records/);
  expect((await world.node.cli("policy", "x/b")).stdout).toContain("the kernel does not have it yet");
  // What nobody refers to is swept after ten quiet seconds, and then it is tried again.
  await until("the change is in force", 45_000, async () => (await reaches(81)) === true);
  expect(await passes()).toEqual([false, true]);
  expect((await world.node.cli("show", "network_service")).stdout).toMatch(/network_policy +enforced: /);
});
