import { describe, expect, it } from "vitest";
import { add, del, TestNode } from "./testing/node.ts";

/** The most addresses the pool has within two minutes. */
async function mostOf(node: TestNode): Promise<number> {
  let most = 0;
  for (let second = 0; second < 120; second += 1) {
    await node.clock.advance(1_000);
    most = Math.max(most, node.pool.view().total);
  }
  return most;
}

describe("warm-up of a new node", () => {
  it("grows once to its size, whatever the bounds say, and gives back afterwards what is too many", async () => {
    const node = new TestNode(1, { minIdle: 1, maxIdle: 3, warmUpSize: 12 });
    await node.start();
    expect(await mostOf(node)).toBe(12);
    await node.clock.advance(600_000);
    expect(node.pool.view()).toMatchObject({ total: 3, free: 3 });
    expect(node.cloud.truth().flatMap((eni) => eni.ipv4)).toHaveLength(3);
  });

  it("counts the addresses of pods, and is not repeated after a restart", async () => {
    const node = new TestNode(2, { minIdle: 0, maxIdle: 20, warmUpSize: 6, coolDownMs: 0 });
    await node.start();
    await add(node, "a");
    await node.clock.advance(120_000);
    expect(node.pool.view()).toMatchObject({ total: 6, used: 1, free: 5 });
    await del(node, "a");
    node.kill();
    node.config = { ...node.config, maxIdle: 2, warmUpSize: 9 };
    await node.start();
    await node.clock.advance(600_000);
    expect(node.pool.view()).toMatchObject({ total: 2, free: 2 });
  });

  it("goes on after a crash in its midst, and does not begin on a node that ran without it", async () => {
    const node = new TestNode(3, { minIdle: 0, maxIdle: 0, warmUpSize: 12 });
    await node.start();
    await node.clock.advance(4_000);
    node.kill();
    await node.start();
    expect(await mostOf(node)).toBe(12);

    const old = new TestNode(4, { minIdle: 0, maxIdle: 1 });
    await old.start();
    await old.clock.advance(60_000);
    old.kill();
    old.config = { ...old.config, warmUpSize: 12 };
    await old.start();
    await old.clock.advance(120_000);
    expect(old.cloud.calls.filter(({ action }) => action === "CreateNetworkInterface")).toEqual([]);
  });

  it("ends where the slots end", async () => {
    const node = new TestNode(5, { minIdle: 0, maxIdle: 2, warmUpSize: 100, maxEnis: 2, ipv4PerEni: 4 });
    await node.start();
    expect(await mostOf(node)).toBe(8);
    await node.clock.advance(600_000);
    expect(node.pool.view()).toMatchObject({ total: 2 });
  });
});

describe("reclaim of idle stock", () => {
  const reclaim = { afterMs: 60_000, intervalMs: 100_000, batchSize: 3, jitterFactor: 0 };

  it("gives back a batch in each round of a quiet pool, down to the minimum", async () => {
    const node = new TestNode(10, { minIdle: 2, maxIdle: 10, reclaim });
    node.config = { ...node.config, minIdle: 9 };
    await node.start();
    await node.clock.advance(30_000);
    node.config = { ...node.config, minIdle: 2 };
    node.pool.reconfigure(node.config);
    const free: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      await node.clock.advance(100_000);
      free.push(node.pool.view().free);
    }
    // The quiet counts from 60 s on, the first round comes 100 s later.
    expect(free).toEqual([9, 6, 3, 2, 2, 2]);
  });

  it("begins anew with every pod that comes or goes, and lets the whole stock be kept again", async () => {
    const node = new TestNode(11, { minIdle: 0, maxIdle: 8, reclaim, coolDownMs: 0, ipv4PerEni: 20 });
    await node.start();
    for (const name of ["a", "b", "c", "d", "e", "f"]) await add(node, name);
    for (const name of ["a", "b", "c", "d", "e"]) await del(node, name);
    await node.clock.advance(150_000);
    expect(node.pool.view()).toMatchObject({ free: 5 });
    await add(node, "g");
    await node.clock.advance(150_000);
    expect(node.pool.view()).toMatchObject({ free: 4 });
    await node.clock.advance(30_000);
    expect(node.pool.view()).toMatchObject({ free: 1 });
    for (const name of ["f", "g"]) await del(node, name);
    await node.clock.advance(50_000);
    expect(node.pool.view()).toMatchObject({ free: 3 });
  });

  it("takes whole ENIs where pods have whole ones", async () => {
    const node = new TestNode(12, { exclusive: true, minIdle: 1, maxIdle: 4, maxEnis: 4, reclaim, coolDownMs: 0 });
    await node.start();
    for (const name of ["a", "b", "c", "d"]) await add(node, name);
    for (const name of ["a", "b", "c", "d"]) await del(node, name);
    await node.clock.advance(100_000);
    expect(node.cloud.truth()).toHaveLength(4);
    await node.clock.advance(100_000);
    expect(node.cloud.truth()).toHaveLength(1);
  });
});
