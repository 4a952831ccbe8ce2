import { describe, expect, it } from "vitest";
import { add, del, sandbox, TestNode } from "./testing/node.ts";

/** A node whose pods have whole ENIs, looked at once. */
async function started(seed: number, config: Partial<TestNode["config"]> = {}, cloud: { left?: number; maxEnis?: number } = {}) {
  const node = new TestNode(seed, { exclusive: true, minIdle: 0, maxIdle: 2, maxEnis: 4, ...config }, cloud);
  await node.start();
  return node;
}

function calls(node: TestNode, action: string): number {
  return node.cloud.calls.filter((call) => call.action === action).length;
}

describe("whole ENIs", () => {
  it("are warm when the slots are known: no ENI is attached for nobody", async () => {
    const node = await started(1);
    expect(await node.clock.advanceFor(node.pool.warm())).toEqual({});
    expect(node.cloud.truth()).toEqual([]);
    expect(node.pool.view()).toMatchObject({ exclusive: true, total: 0, capacity: 4 });
  });

  it("are one for each pod, with one address of each family, our tags and the configured groups", async () => {
    const node = await started(2, { ipv6: true, securityGroupIds: ["sg-1", "sg-2"] });
    const [a, b] = [await add(node, "a"), await add(node, "b")];
    expect(a).toMatchObject({ exclusive: true, ipv4: { prefixLength: 24 }, ipv6: { prefixLength: 64 } });
    expect(b.eniId).not.toBe(a.eniId);
    const enis = node.cloud.truth();
    expect(enis).toHaveLength(2);
    for (const { ipv4, ipv6, primaryIpv4, tags, securityGroupIds } of enis) {
      expect({ ipv4, v6: ipv6.length, tags, securityGroupIds }).toEqual({
        ipv4: [primaryIpv4],
        v6: 1,
        tags: expect.objectContaining({ creator: "terway" }),
        securityGroupIds: ["sg-1", "sg-2"],
      });
    }
    expect(enis.map((eni) => eni.primaryIpv4).sort()).toEqual([a.ipv4?.address, b.ipv4?.address].sort());
    expect(node.pool.view()).toMatchObject({ total: 2, used: 2, free: 0, cooling: 0, capacity: 4 });
  });

  it("are kept warm between the bounds, and an ADD then waits for nothing", async () => {
    const node = await started(3, { minIdle: 2, maxIdle: 2 });
    await node.clock.advance(60_000);
    expect(node.pool.view()).toMatchObject({ total: 2, free: 2 });
    const startMs = node.clock.monotonicMs();
    expect(await node.clock.advanceFor(node.pool.allocate(sandbox("a"), { deadlineMs: 1_000 }))).toMatchObject({ ok: true });
    expect(node.clock.monotonicMs()).toBe(startMs);
    await node.clock.advance(60_000);
    expect(node.pool.view()).toMatchObject({ total: 3, used: 1, free: 2 });
  });

  it("rest after their release, are given again as they are, the longest released first, and go beyond the maximum (I9, I10)", async () => {
    const node = await started(4, { coolDownMs: 30_000, maxIdle: 2 });
    const leases = [await add(node, "a"), await add(node, "b"), await add(node, "c")];
    for (const name of ["b", "a"]) await del(node, name);
    expect(node.pool.view()).toMatchObject({ used: 1, cooling: 2, free: 0 });
    await node.clock.advance(31_000);
    const again = await add(node, "d");
    expect(again.eniId).toBe(leases[1]?.eniId);
    expect(calls(node, "CreateNetworkInterface")).toBe(3);
    for (const name of ["c", "d"]) await del(node, name);
    await node.clock.advance(300_000);
    expect(node.pool.view()).toMatchObject({ used: 0, total: 2, free: 2 });
    expect(node.cloud.truth()).toHaveLength(2);
  });

  it("are replaced, when nobody uses them, after the groups or vSwitches were changed", async () => {
    const node = await started(5, { maxIdle: 4, coolDownMs: 0 });
    const [used] = [await add(node, "a"), await add(node, "b")];
    await del(node, "b");
    await node.clock.advance(70_000);
    node.config = { ...node.config, securityGroupIds: ["sg-9"], vSwitchIds: ["vsw-b"] };
    node.pool.reconfigure(node.config);
    const fresh = await add(node, "c");
    await node.clock.advance(120_000);
    const enis = node.cloud.truth();
    expect(enis.map(({ id }) => id).sort()).toEqual([used.eniId, fresh.eniId].sort());
    expect(enis.find(({ id }) => id === fresh.eniId)).toMatchObject({ vSwitchId: "vsw-b", securityGroupIds: ["sg-9"] });
    await del(node, "a");
    await node.clock.advance(120_000);
    expect(node.cloud.truth().map(({ id }) => id)).toEqual([fresh.eniId]);
  });

  it("say that the node is full, and serve who waits when one has rested (I16)", async () => {
    const node = await started(6, { maxEnis: 1, coolDownMs: 20_000 });
    await add(node, "a");
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("b"), { deadlineMs: 60_000 }));
    expect(answer).toMatchObject({ ok: false, failure: { reason: "exhausted", problem: { class: "full", code: "NodeFull" } } });
    expect(answer.ok ? "" : answer.failure.message).toMatch(/all ENIs of this node are in use: its limit is 1 ENIs, one for each pod/);
    await del(node, "a");
    await add(node, "c", 60_000);
    expect(calls(node, "CreateNetworkInterface")).toBe(1);
  });

  it("go to the next vSwitch when one is empty, and name it when all are", async () => {
    const node = await started(7);
    for (const vSwitch of node.cloud.options.vSwitches) vSwitch.left = vSwitch.id === "vsw-a" ? 0 : 1;
    await add(node, "a");
    expect(node.cloud.truth()).toMatchObject([{ vSwitchId: "vsw-b" }]);
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("b"), { deadlineMs: 60_000 }));
    expect(answer).toMatchObject({ ok: false, failure: { problem: { class: "exhausted", code: "InvalidVSwitchId.IpNotEnough" } } });
  });

  it("stay where they are over a restart, also with the cloud away (I6)", async () => {
    const node = await started(8, { minIdle: 1 });
    const lease = await add(node, "a");
    await node.clock.advance(30_000);
    node.kill();
    node.cloud.faultFor = () => ({ kind: "refused", class: "transient", code: "ServiceUnavailable" });
    await node.start();
    expect(node.pool.lease(lease.id)).toMatchObject({ eniId: lease.eniId, exclusive: true });
    await node.clock.advance(2_000);
    const other = await add(node, "b", 5_000);
    expect(other.eniId).not.toBe(lease.eniId);
  });

  it("an ENI that lost its addresses to a hand stays with its pod (I4)", async () => {
    const node = await started(9, { ipv6: true, maxIdle: 0, coolDownMs: 0 });
    const lease = await add(node, "a");
    node.cloud.change(lease.eniId, (eni) => ({ ...eni, ipv4: [], ipv6: [] }));
    await node.clock.advance(1_200_000);
    expect(node.cloud.truth()).toMatchObject([{ id: lease.eniId, status: "InUse" }]);
    expect(node.events.filter(({ type }) => type === "address-vanished")).toHaveLength(2);
    await del(node, "a");
    await node.clock.advance(600_000);
    expect(node.cloud.truth()).toEqual([]);
  });
});

describe("the other kind of lease", () => {
  it.each([true, false])("is not begun while pods live with theirs (exclusive: %s)", async (exclusive) => {
    const node = await started(20, { exclusive, coolDownMs: 0 });
    await add(node, "a");
    node.config = { ...node.config, exclusive: !exclusive };
    node.pool.reconfigure(node.config);
    const second = await add(node, "b");
    expect(second.exclusive ?? false).toBe(exclusive);
    expect(node.pool.view().exclusive).toBe(exclusive);
    // Also after a restart with the new configuration.
    node.kill();
    await node.start();
    expect((await add(node, "c")).exclusive ?? false).toBe(exclusive);
    for (const name of ["a", "b", "c"]) await del(node, name);
    expect((await add(node, "d")).exclusive ?? false).toBe(!exclusive);
    await node.clock.advance(600_000);
    for (const eni of exclusive ? [] : node.cloud.truth()) expect(eni.ipv4).toHaveLength(1);
  });
});
