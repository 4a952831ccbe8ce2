import { describe, expect, it } from "vitest";
import { add, del, sandbox, TestNode } from "./testing/node.ts";

describe("pool", () => {
  it("creates an ENI for the first pod, serves the next ones warm, and gives back what is idle beyond the maximum", async () => {
    const node = new TestNode(1);
    await node.start();
    const first = await add(node, "a");
    expect(first.ipv4).toMatchObject({ prefixLength: 24, gateway: "10.0.1.253" });
    await node.clock.advanceFor(node.pool.warm());
    const before = node.cloud.calls.length;
    await add(node, "b");
    expect(node.cloud.calls.length).toBe(before);
    const leases = [];
    for (const name of ["c", "d", "e", "f", "g", "h"]) leases.push(await add(node, name));
    expect(new Set(leases.map((lease) => lease.ipv4?.address)).size).toBe(6);
    for (const name of ["a", "b", "c", "d", "e", "f", "g", "h"]) await del(node, name);
    await node.clock.advance(600_000);
    const view = node.pool.view();
    expect({ used: view.used, free: view.free }).toEqual({ used: 0, free: 5 });
    expect(node.cloud.truth().flatMap((eni) => eni.ipv4)).toHaveLength(5);
  });

  it("answers a hundred ADDs at once from a few calls", async () => {
    const node = new TestNode(2, { ipv4PerEni: 50, maxEnis: 4 });
    await node.start();
    await node.clock.advanceFor(node.pool.warm());
    const before = node.cloud.calls.filter(({ action }) => /Assign|Create/.test(action)).length;
    const answers = Promise.all(Array.from({ length: 100 }, (_, i) => node.pool.allocate(sandbox(`p${i}`), { deadlineMs: 120_000 })));
    const results = await node.clock.advanceFor(answers);
    expect(results.filter((result) => !result.ok)).toEqual([]);
    expect(new Set(results.map((result) => result.ok && result.lease.ipv4?.address)).size).toBe(100);
    const calls = node.cloud.calls.filter(({ action }) => /Assign|Create/.test(action)).length - before;
    expect(calls).toBeLessThanOrEqual(14);
  });

  it("shares the disk's flushes among ADDs that come together", async () => {
    const node = new TestNode(5, { ipv4PerEni: 50, maxEnis: 4, minIdle: 60, maxIdle: 60 });
    await node.start();
    await node.clock.advanceFor(node.pool.warm());
    const before = node.disk.syncs;
    const answers = Promise.all(Array.from({ length: 60 }, (_, i) => node.pool.allocate(sandbox(`p${i}`), { deadlineMs: 1_000 })));
    const startMs = node.clock.monotonicMs();
    const results = await node.clock.advanceFor(answers);
    expect(results.every((result) => result.ok)).toBe(true);
    expect(node.clock.monotonicMs()).toBe(startMs);
    expect(node.disk.syncs - before).toBeLessThanOrEqual(2);
  });

  it("gives pairs of one ENI in dual stack", async () => {
    const node = new TestNode(3, { ipv6: true });
    await node.start();
    const lease = await add(node, "a");
    expect(lease.ipv6).toMatchObject({ prefixLength: 64, gateway: "2001:db8:1:0:ffff:ffff:ffff:fffd" });
    const eni = node.cloud.truth().find((each) => each.id === lease.eniId);
    expect(eni?.ipv4).toContain(lease.ipv4?.address);
    expect(eni?.ipv6).toContain(lease.ipv6?.address);
  });

  it("fails at once, with the refusal, when every vSwitch is empty", async () => {
    const node = new TestNode(4, { minIdle: 0 }, { left: 0 });
    await node.start();
    const startMs = node.clock.monotonicMs();
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("a"), { deadlineMs: 600_000 }));
    expect(answer).toMatchObject({
      ok: false,
      failure: { reason: "exhausted", problem: { class: "exhausted", code: "InvalidVSwitchId.IpNotEnough" } },
    });
    expect(node.clock.monotonicMs() - startMs).toBeLessThan(15_000);
  });
});
