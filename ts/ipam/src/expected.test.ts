import { describe, expect, it } from "vitest";
import { add, sandbox, TestNode } from "./testing/node.ts";

const names = (count: number) => Array.from({ length: count }, (_, index) => `p${index}`);
const expected = (pods: readonly string[]) => new Set(pods.map((name) => `default/${name}`));
const config = { minIdle: 2, maxIdle: 5, coolDownMs: 0 };

describe("pods that are bound to the node and have not asked yet", () => {
  it.each([
    ["IPv4", {}],
    ["dual stack", { ipv6: true }],
  ])("%s: the pool is warm when there is an address for each of them, and none waits", async (_, families) => {
    const node = new TestNode(1, { ...config, ...families });
    await node.start();
    const pods = names(17);
    node.pool.expect(expected(pods));
    expect(await node.clock.advanceFor(node.pool.warm())).toEqual({});
    expect(node.pool.view().free).toBeGreaterThanOrEqual(17);
    for (const pod of pods)
      expect(await node.clock.advanceFor(node.pool.allocate(sandbox(pod), { deadlineMs: 1 }))).toMatchObject({ ok: true });
    await node.clock.advance(120_000);
    expect(node.pool.view()).toMatchObject({ used: 17, waiting: 0 });
    expect(node.pool.view().free).toBeLessThanOrEqual(5);
  });

  it("those that hold something want nothing, and what is expected no more is given back", async () => {
    const node = new TestNode(2, config);
    await node.start();
    await add(node, "p0");
    node.pool.expect(expected(names(12)));
    await node.clock.advance(60_000);
    expect(node.pool.view().free).toBe(13);
    node.pool.expect(expected(["p0"]));
    await node.clock.advance(120_000);
    expect(node.pool.view().free).toBeLessThanOrEqual(5);
  });

  it("more than the node can carry: warm with all that there is, and it says so", async () => {
    const node = new TestNode(3, { ...config, maxEnis: 1, ipv4PerEni: 6 });
    await node.start();
    node.pool.expect(expected(names(20)));
    expect(await node.clock.advanceFor(node.pool.warm())).toMatchObject({ limited: { code: "NodeFull" } });
    expect(node.pool.view()).toMatchObject({ free: 6, total: 6 });
  });

  it("whole ENIs are attached ahead too", async () => {
    const node = new TestNode(4, { ...config, exclusive: true, minIdle: 0, maxIdle: 0 });
    await node.start();
    node.pool.expect(expected(names(2)));
    await node.clock.advance(60_000);
    expect(node.pool.view()).toMatchObject({ free: 2 });
  });
});
