import type { Metadata, MetadataEni } from "@terway/model";
import { describe, expect, it } from "vitest";
import { add, del, sandbox, TestNode } from "./testing/node.ts";

async function started(node: TestNode): Promise<TestNode> {
  await node.start();
  await node.clock.advanceFor(node.pool.warm());
  return node;
}

const unreachable = { kind: "refused", class: "transient", code: "ConnectionRefused" } as const;

describe("restart", () => {
  it("I6: kill -9 loses no lease, and the same ADD gets the same answer (I8)", async () => {
    const node = await started(new TestNode(1));
    const lease = await add(node, "a");
    node.kill();
    await node.start();
    expect(node.pool.leases()).toEqual([{ ...lease, state: "bound" }]);
    const again = await node.clock.advanceFor(node.pool.allocate(sandbox("a"), { deadlineMs: 1_000 }));
    expect(again).toMatchObject({ ok: true, existed: true, lease: { generation: lease.generation } });
  });

  it("gives out what the journal knows within two seconds while the cloud is away", async () => {
    const node = await started(new TestNode(2, { minIdle: 3 }));
    node.kill();
    node.cloud.faultFor = () => unreachable;
    await node.start();
    const startMs = node.clock.monotonicMs();
    const lease = await add(node, "a");
    expect(node.clock.monotonicMs() - startMs).toBeLessThan(2_000);
    expect(node.cloud.isAttached(lease.ipv4?.address ?? "")).toBe(true);
    expect(node.pool.view().problems).toMatchObject([{ code: "ConnectionRefused" }]);
    node.cloud.faultFor = () => undefined;
    await node.clock.advance(120_000);
    expect(node.pool.view()).toMatchObject({ problems: [], used: 1 });
  });

  it("I2: with the cloud away, the metadata service withholds what a hand took off the instance", async () => {
    const node = await started(new TestNode(3, { minIdle: 3, maxIdle: 3 }));
    const [eni] = node.cloud.truth();
    if (!eni) throw new Error("no ENI");
    await node.stop();
    node.cloud.faultFor = () => unreachable;
    const taken = eni.ipv4[0];
    const shown = { eniId: eni.id, mac: eni.mac, ipv4: eni.ipv4.filter((address) => address !== taken), ipv6: [] };
    node.metadata = { enis: async () => [shown as unknown as MetadataEni] } as unknown as Metadata; // only `enis` is asked
    await node.start();
    await node.clock.advance(5_000);
    expect(node.pool.view().free).toBe(2);
    for (const name of ["a", "b"]) expect((await add(node, name)).ipv4?.address).not.toBe(taken);
  });

  it("I9: rests go on across a restart within one boot, and begin again after a reboot, whatever the wall clock does", async () => {
    for (const reboot of [false, true]) {
      const node = await started(new TestNode(4, { minIdle: 0, maxIdle: 0, maxEnis: 1, ipv4PerEni: 1, coolDownMs: 30_000 }));
      await add(node, "a");
      await del(node, "a");
      await node.clock.advance(20_000);
      node.kill();
      node.clock.jumpWall(86_400_000);
      if (reboot) node.bootId = "boot-2";
      await node.start();
      const startMs = node.clock.monotonicMs();
      await add(node, "b");
      expectAbout(node.clock.monotonicMs() - startMs, reboot ? 30_000 : 10_000);
    }
  });

  it("a damaged journal: addresses that the kernel still uses are not given out, and rest when they are not used any more", async () => {
    const node = await started(new TestNode(5, { minIdle: 0, maxIdle: 10, maxEnis: 1, ipv4PerEni: 2 }));
    const lease = await add(node, "a");
    const address = lease.ipv4?.address ?? "";
    node.kill();
    node.disk.durable = Uint8Array.from(node.disk.durable).fill(0x5a, 40);
    let routed = [address];
    node.occupied = async () => routed;
    await node.start();
    expect(node.pool.leases()).toEqual([]);
    expect(node.events).toContainEqual(expect.objectContaining({ type: "journal-repaired", setAside: "memory/1" }));
    const other = await add(node, "b");
    expect(other.ipv4?.address).not.toBe(address);
    expect(other.generation, "never a number that the lost part may have used").toBeGreaterThan(lease.generation);
    const full = await node.clock.advanceFor(node.pool.allocate(sandbox("c"), { deadlineMs: 600_000 }));
    expect(full).toMatchObject({ ok: false, failure: { problem: { class: "full" } } });
    routed = [];
    const startMs = node.clock.monotonicMs();
    void node.pool.sync();
    await node.clock.advance(1);
    expect((await add(node, "d")).ipv4?.address).toBe(address);
    expectAbout(node.clock.monotonicMs() - startMs, node.config.coolDownMs);
  });

  it("does not open when the kernel cannot be asked: nothing may be given out unseen", async () => {
    const node = new TestNode(6);
    node.occupied = async () => {
      throw new Error("netlink is away");
    };
    await expect(node.start()).rejects.toThrow("netlink is away");
  });

  it("a graceful stop refuses who waits and leaves what is begun to the next process", async () => {
    const node = new TestNode(7, { minIdle: 0 });
    await node.start();
    const waiting = node.pool.allocate(sandbox("a"), { deadlineMs: 60_000 });
    await node.clock.advance(1_500);
    await node.stop();
    expect(await waiting).toMatchObject({ ok: false, failure: { reason: "stopping" } });
    await node.start();
    await add(node, "a");
    expect(node.cloud.truth()).toHaveLength(1);
  });
});

describe("calls that meet", () => {
  it("I8: the same ADD many times at the same instant gets one lease", async () => {
    const node = new TestNode(20);
    await node.start();
    const calls = Promise.all(Array.from({ length: 10 }, () => node.pool.allocate(sandbox("a"), { deadlineMs: 60_000 })));
    const answers = await node.clock.advanceFor(calls);
    const generations = answers.map((answer) => answer.ok && answer.lease.generation);
    expect(new Set(generations).size).toBe(1);
    expect(answers.filter((answer) => answer.ok && !answer.existed)).toHaveLength(1);
  });

  it("a second, more patient ADD goes on when the first one has given up", async () => {
    const node = new TestNode(21, { minIdle: 0 });
    await node.start();
    const hasty = node.pool.allocate(sandbox("a"), { deadlineMs: 500 });
    const patient = node.pool.allocate(sandbox("a"), { deadlineMs: 60_000 });
    expect(await node.clock.advanceFor(hasty)).toMatchObject({ ok: false, failure: { reason: "timeout" } });
    expect(await node.clock.advanceFor(patient)).toMatchObject({ ok: true });
  });

  it("I7: a DEL ends an ADD that still waits, and a late DEL of an old sandbox touches no newer one", async () => {
    const node = new TestNode(22, { minIdle: 0 });
    await node.start();
    const waiting = node.pool.allocate(sandbox("old", "pod"), { deadlineMs: 60_000 });
    await node.clock.advance(100);
    expect(await node.clock.advanceFor(node.pool.beginRelease("old/eth0"))).toBeUndefined();
    expect(await waiting).toMatchObject({ ok: false });
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("new", "pod"), { deadlineMs: 60_000 }));
    await del(node, "old");
    expect(answer.ok && node.pool.lease("new/eth0")).toEqual(answer.ok && answer.lease);
  });

  it("an ADD of the same sandbox waits until its DEL has ended, and gets a new lease", async () => {
    const node = await started(new TestNode(23));
    const first = await add(node, "a");
    await node.clock.advanceFor(node.pool.beginRelease(first.id));
    const second = node.pool.allocate(sandbox("a"), { deadlineMs: 60_000 });
    await node.clock.advance(1_000);
    await node.clock.advanceFor(node.pool.finishRelease(first.id));
    const answer = await node.clock.advanceFor(second);
    expect(answer).toMatchObject({ ok: true, existed: false });
    expect(answer.ok && answer.lease.generation).toBeGreaterThan(first.generation);
    expect(answer.ok && answer.lease.ipv4?.address).not.toBe(first.ipv4?.address);
  });

  it("serves in the order of arrival", async () => {
    const node = new TestNode(24, { minIdle: 0 });
    await node.start();
    const order: string[] = [];
    const waiting = ["a", "b", "c"].map((name) =>
      node.pool
        .allocate(sandbox(name), { deadlineMs: 60_000 })
        .then((answer) => answer.ok && order.push(`${name}${answer.lease.generation % 10}`)),
    );
    await node.clock.advanceFor(Promise.all(waiting));
    expect(order.map((entry) => entry[0])).toEqual(["a", "b", "c"]);
  });

  it("journals the payload with the lease", async () => {
    const node = await started(new TestNode(25));
    const answer = await node.clock.advanceFor(
      node.pool.allocate(sandbox("a"), { deadlineMs: 1_000, payload: (lease) => ({ mac: lease.eniMac }) }),
    );
    node.kill();
    await node.start();
    expect(node.pool.lease("a/eth0")?.payload).toEqual({ mac: answer.ok && answer.lease.eniMac });
  });

  it("disk full: an ADD is told so, keeps nothing, and works again when there is space", async () => {
    const node = await started(new TestNode(26));
    const before = node.pool.view();
    node.disk.failure = Object.assign(new Error("write failed"), { code: "ENOSPC" });
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("a"), { deadlineMs: 1_000 }));
    expect(answer).toMatchObject({ ok: false, failure: { reason: "journal", message: expect.stringContaining("no space left") } });
    expect(node.pool.view()).toMatchObject({ used: before.used, free: before.free, problems: [{ class: "journal", code: "ENOSPC" }] });
    node.disk.failure = undefined;
    await add(node, "a");
    expect(node.pool.view().problems).toEqual([]);
  });
});

/** Records that nobody waits for are a few milliseconds late; a rest is counted in seconds. */
function expectAbout(elapsedMs: number, wantedMs: number): void {
  expect(Math.abs(elapsedMs - wantedMs)).toBeLessThanOrEqual(10);
}
