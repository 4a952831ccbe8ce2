import type { Eni, PoolEvent } from "@terway/model";
import { describe, expect, it } from "vitest";
import type { Fault } from "./testing/model-cloud.ts";
import { add, del, instanceId, sandbox, TestNode } from "./testing/node.ts";

/** The faults of reference/alicloud-api.md, 19.2, one by one; schedules.test.ts mixes them. */

async function started(node: TestNode): Promise<TestNode> {
  await node.start();
  await node.clock.advanceFor(node.pool.warm());
  return node;
}

function failing(action: string, fault: Fault) {
  return (called: string) => (called === action ? fault : undefined);
}

/** The fault befalls the first call of the action only. */
function once(action: string, fault: Fault) {
  let left = 1;
  return (called: string) => (called === action && left-- > 0 ? fault : undefined);
}

function calls(node: TestNode, action: string, sinceMs = 0): number {
  return node.cloud.calls.filter((call) => call.action === action && call.atMs >= sinceMs).length;
}

function foreignEni(id: string, more: Partial<Eni> = {}): Eni {
  return {
    id,
    mac: "00:16:3e:ff:00:01",
    status: "InUse",
    type: "Secondary",
    zoneId: "z-1",
    vSwitchId: "vsw-a",
    securityGroupIds: [],
    instanceId,
    primaryIpv4: "10.0.9.1",
    ipv4: ["10.0.9.1", "10.0.9.2"],
    ipv6: [],
    tags: {},
    ...more,
  };
}

describe("answers that are lost", () => {
  it.each(["lost", "swallowed"] as const)("F01: a create whose answer is %s makes one ENI", async (kind) => {
    const node = new TestNode(1, { minIdle: 1, maxIdle: 3 });
    node.cloud.faultFor = once("CreateNetworkInterface", { kind });
    await started(node);
    expect(node.cloud.truth()).toHaveLength(1);
    const tokens = calls(node, "CreateNetworkInterface");
    expect(tokens).toBe(kind === "lost" ? 1 : 2);
  });

  it.each(["lost", "swallowed"] as const)("F22: an assign whose answer is %s assigns once", async (kind) => {
    const node = await started(new TestNode(2, { minIdle: 1, maxIdle: 10 }));
    node.cloud.faultFor = once("AssignPrivateIpAddresses", { kind });
    node.pool.reconfigure({ ...node.config, minIdle: 5 });
    await node.clock.advance(30_000);
    expect(node.pool.view().free).toBe(5);
    expect(node.cloud.truth().flatMap((eni) => eni.ipv4)).toHaveLength(5);
  });

  it("F02: a create that a crash cut off is found by its token", async () => {
    const node = new TestNode(3, { minIdle: 1 });
    node.failpoint = (name) => {
      if (name === "create.answered") node.kill();
    };
    await node.start();
    await node.clock.advance(10_000);
    expect(node.running).toBe(false);
    node.failpoint = undefined;
    await started(node);
    expect(node.cloud.truth()).toHaveLength(1);
    expect(calls(node, "CreateNetworkInterface")).toBe(1);
  });

  it("I5: an ENI whose creation only the lost journal knew is found by its tag and used", async () => {
    const node = new TestNode(4, { minIdle: 1 });
    node.failpoint = (name) => {
      if (name === "create.recorded") node.kill();
    };
    await node.start();
    await node.clock.advance(10_000);
    node.failpoint = undefined;
    node.disk.durable = new Uint8Array();
    await started(node);
    expect(node.cloud.truth()).toMatchObject([{ id: "eni-1", status: "InUse" }]);
  });
});

describe("refusals", () => {
  it("F04, F05: goes to the next vSwitch when one is empty, and comes back to it after its rest", async () => {
    const node = new TestNode(10, { minIdle: 1, maxIdle: 1 });
    const [first] = node.cloud.options.vSwitches;
    if (first) first.left = 0;
    await started(node);
    expect(node.cloud.truth()[0]?.vSwitchId).toBe("vsw-b");
    expect(node.pool.view().problems).toMatchObject([{ class: "exhausted", resource: "vsw-a" }]);
    expect(node.pool.view().problems[0]?.message).toMatch(/vSwitch vsw-a has no free address \[InvalidVSwitchId.IpNotEnough\].*vswitches/s);
    if (first) first.left = 100;
    await node.clock.advance(120_000);
    node.pool.reconfigure({ ...node.config, minIdle: 15, maxIdle: 15 });
    await node.clock.advance(60_000);
    expect(new Set(node.cloud.truth().map((eni) => eni.vSwitchId))).toEqual(new Set(["vsw-a", "vsw-b"]));
    expect(node.pool.view().problems).toEqual([]);
  });

  it("F06: all vSwitches empty: every ADD is told at once, the calls stay few, and it recovers by itself (I11, I16)", async () => {
    const node = new TestNode(11, { minIdle: 2 }, { left: 0 });
    await node.start();
    await node.clock.advance(30_000);
    const startMs = node.clock.monotonicMs();
    for (let minute = 0; minute < 60; minute += 1) {
      const answer = await node.clock.advanceFor(node.pool.allocate(sandbox(`p${minute}`), { deadlineMs: 120_000 }));
      expect(answer).toMatchObject({ ok: false, failure: { reason: "exhausted", problem: { code: "InvalidVSwitchId.IpNotEnough" } } });
      await node.clock.advance(60_000);
    }
    expect(calls(node, "CreateNetworkInterface", startMs)).toBeLessThanOrEqual(20);
    for (const vSwitch of node.cloud.options.vSwitches) vSwitch.left = 100;
    await node.clock.advance(700_000);
    expect(node.pool.view()).toMatchObject({ free: 2, problems: [] });
  });

  it("F29: RAM denial: told at once with the action, probed slowly, over by itself (I11)", async () => {
    const node = new TestNode(12, { minIdle: 3 });
    await node.start();
    node.cloud.faultFor = (action) =>
      action === "CreateNetworkInterface" ? { kind: "refused", class: "denied", code: "Forbidden.RAM" } : undefined;
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("a"), { deadlineMs: 120_000 }));
    expect(answer).toMatchObject({ ok: false, failure: { reason: "denied", problem: { class: "denied", code: "Forbidden.RAM" } } });
    expect(node.clock.monotonicMs()).toBeLessThan(10_000);
    const startMs = node.clock.monotonicMs();
    await node.clock.advance(3_600_000);
    expect(calls(node, "CreateNetworkInterface", startMs)).toBeLessThanOrEqual(25);
    node.cloud.faultFor = () => undefined;
    await node.clock.advance(320_000);
    expect(node.pool.view()).toMatchObject({ free: 3, problems: [] });
    expect(node.events.filter(({ type }) => type === "problem" || type === "recovered")).toMatchObject([
      { type: "problem", problem: { code: "Forbidden.RAM" } },
      { type: "recovered", code: "Forbidden.RAM" },
    ]);
  });

  it("F29: describe denied from the start: told at once, nothing is created blindly", async () => {
    const node = new TestNode(13);
    node.cloud.faultFor = failing("DescribeNetworkInterfaces", { kind: "refused", class: "denied", code: "Forbidden.RAM" });
    await node.start();
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("a"), { deadlineMs: 120_000 }));
    expect(answer).toMatchObject({ ok: false, failure: { reason: "denied" } });
    await node.clock.advance(600_000);
    expect(calls(node, "CreateNetworkInterface")).toBe(0);
    expect(calls(node, "DescribeNetworkInterfaces")).toBeLessThan(25);
  });

  it("F10: an ENI that the instance does not take is deleted, and creation rests", async () => {
    const node = new TestNode(14, { minIdle: 1, maxEnis: 3 }, { maxEnis: 0 });
    await node.start();
    await node.clock.advance(3_600_000);
    expect(node.cloud.truth()).toEqual([]);
    expect(calls(node, "CreateNetworkInterface")).toBeLessThanOrEqual(15);
    expect(node.pool.view().problems).toMatchObject([{ class: "quota", code: "EniPerInstanceLimitExceeded" }]);
  });

  it("F19: a throttled call waits as long as it was told, and others go on", async () => {
    const node = await started(new TestNode(15, { minIdle: 1, maxIdle: 20 }));
    const startMs = node.clock.monotonicMs();
    node.cloud.faultFor = (action) =>
      action === "AssignPrivateIpAddresses" && node.clock.monotonicMs() < startMs + 60_000
        ? { kind: "refused", class: "throttled", code: "Throttling.User", retryAfterMs: 40_000 }
        : undefined;
    node.pool.reconfigure({ ...node.config, minIdle: 4 });
    await node.clock.advance(59_000);
    expect(calls(node, "AssignPrivateIpAddresses", startMs)).toBeLessThanOrEqual(2);
    await node.clock.advance(60_000);
    expect(node.pool.view()).toMatchObject({ free: 4, problems: [] });
  });

  it("an ADD that waits for a retried call ends at its deadline, with the cause", async () => {
    const node = new TestNode(16, { minIdle: 0 });
    await node.start();
    node.cloud.faultFor = failing("CreateNetworkInterface", { kind: "refused", class: "transient", code: "ServiceUnavailable" });
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("a"), { deadlineMs: 20_000 }));
    expect(answer).toMatchObject({ ok: false, failure: { reason: "timeout", problem: { code: "ServiceUnavailable" } } });
    expect(node.clock.monotonicMs()).toBe(20_000);
  });

  it("a full node says so, and waits for what is resting", async () => {
    const node = await started(new TestNode(17, { minIdle: 0, maxIdle: 0, maxEnis: 1, ipv4PerEni: 2 }));
    await add(node, "a");
    await add(node, "b");
    const full = await node.clock.advanceFor(node.pool.allocate(sandbox("c"), { deadlineMs: 60_000 }));
    expect(full).toMatchObject({ ok: false, failure: { reason: "exhausted", problem: { class: "full" } } });
    expect(await node.clock.advanceFor(node.pool.warm())).toMatchObject({ limited: { class: "full" } });
    await del(node, "a");
    const startMs = node.clock.monotonicMs();
    const lease = await add(node, "d");
    expect(lease.ipv4).toBeDefined();
    expect(node.clock.monotonicMs() - startMs).toBe(node.config.coolDownMs);
  });

  it("a full node says that it is full, also when something was refused before", async () => {
    const node = await started(new TestNode(27, { minIdle: 0, maxIdle: 0, maxEnis: 1, ipv4PerEni: 2 }));
    await add(node, "a");
    node.cloud.faultFor = once("AssignPrivateIpAddresses", { kind: "refused", class: "exhausted", code: "InvalidVSwitchId.IpNotEnough" });
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("b"), { deadlineMs: 5_000 }));
    expect(answer).toMatchObject({ ok: false, failure: { problem: { class: "exhausted", resource: "vsw-a" } } });
    node.cloud.change("eni-1", (eni) => ({ ...eni, ipv4: [...eni.ipv4, "10.0.1.77"] }));
    await node.clock.advanceFor(node.pool.sync());
    await add(node, "c");
    const full = await node.clock.advanceFor(node.pool.allocate(sandbox("d"), { deadlineMs: 5_000 }));
    expect(full).toMatchObject({ ok: false, failure: { problem: { class: "full" } } });
  });

  it("vSwitches of another zone are never used, and that is said", async () => {
    const node = new TestNode(28, { minIdle: 1 });
    for (const vSwitch of node.cloud.options.vSwitches) Object.assign(vSwitch, { zoneId: "z-2" });
    await node.start();
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("a"), { deadlineMs: 60_000 }));
    expect(answer).toMatchObject({
      ok: false,
      failure: { reason: "denied", message: expect.stringContaining("no configured vSwitch lies in zone z-1") },
    });
    expect(calls(node, "CreateNetworkInterface")).toBe(0);
  });

  it("F38: takes what a partial assign gives and asks for the rest", async () => {
    const node = await started(new TestNode(18, { minIdle: 1, maxIdle: 10 }));
    node.cloud.faultFor = once("AssignPrivateIpAddresses", { kind: "partial" });
    node.pool.reconfigure({ ...node.config, minIdle: 9 });
    await node.clock.advance(30_000);
    expect(node.pool.view().free).toBe(9);
  });

  it("F55: when IPv6 is refused after IPv4, no half pair is given, and the pair is completed later", async () => {
    const node = await started(new TestNode(19, { ipv6: true, minIdle: 1, maxIdle: 10 }));
    node.cloud.faultFor = failing("AssignIpv6Addresses", { kind: "refused", class: "transient", code: "InternalError" });
    node.pool.reconfigure({ ...node.config, minIdle: 4 });
    await node.clock.advance(30_000);
    const eni = () => node.cloud.truth()[0];
    expect(eni()?.ipv4.length).toBe(4);
    expect(node.pool.view().free).toBe(1);
    node.cloud.faultFor = () => undefined;
    await node.clock.advance(60_000);
    expect(node.pool.view().free).toBe(4);
    expect([eni()?.ipv4.length, eni()?.ipv6.length]).toEqual([4, 4]);
  });
});

describe("a cloud that shows something else", () => {
  it("F53: an empty answer by mistake takes nothing away, and nothing is created in its place", async () => {
    const node = await started(new TestNode(20, { minIdle: 3 }));
    const lease = await add(node, "a");
    await node.clock.advance(120_000);
    const before = calls(node, "CreateNetworkInterface");
    let empties = 0;
    node.cloud.faultFor = (action) => (action === "DescribeNetworkInterfaces" && empties++ < 2 ? { kind: "empty" } : undefined);
    await node.clock.advanceFor(node.pool.sync());
    expect(empties).toBe(2);
    expect(node.pool.view().free, "withheld until it is proven").toBe(0);
    await node.clock.advance(60_000);
    expect(node.pool.view().free).toBeGreaterThanOrEqual(3);
    expect(node.pool.lease(lease.id)).toEqual({ ...lease, state: "bound" });
    expect(calls(node, "CreateNetworkInterface")).toBe(before);
    expect(node.events.filter(({ type }) => type === "address-vanished")).toEqual([]);
  });

  it("F15: an ENI deleted by a hand: its leases stay and are reported, its free addresses are not given any more", async () => {
    const node = await started(new TestNode(21, { minIdle: 2 }));
    const lease = await add(node, "a");
    await node.clock.advance(120_000);
    node.cloud.remove(lease.eniId);
    await node.clock.advance(300_000);
    const vanished: PoolEvent[] = node.events.filter(({ type }) => type === "address-vanished");
    expect(vanished).toEqual([{ type: "address-vanished", address: lease.ipv4?.address, leaseId: lease.id }]);
    expect(node.pool.lease(lease.id)?.state).toBe("bound");
    expect(node.pool.view().enis.find(({ id }) => id === lease.eniId)?.addresses).toMatchObject([{ state: "vanished", leaseId: lease.id }]);
    const next = await add(node, "b");
    expect(next.eniId).not.toBe(lease.eniId);
    await del(node, "a");
    await node.clock.advance(60_000);
    expect(node.pool.view().enis.some(({ id }) => id === lease.eniId)).toBe(false);
  });

  it("an ENI taken off the instance by a hand while a pod uses it is left alone, without a hot loop, until the pod is gone (I4)", async () => {
    const node = await started(new TestNode(30, { minIdle: 0, maxIdle: 0 }));
    const lease = await add(node, "a");
    await node.clock.advance(120_000);
    node.cloud.change(lease.eniId, ({ instanceId: _, ...eni }) => ({ ...eni, status: "Available" }));
    await node.clock.advance(120_000);
    const before = node.disk.syncs;
    await node.clock.advance(600_000);
    expect(node.disk.syncs - before).toBeLessThan(20);
    expect(node.cloud.truth()).toMatchObject([{ id: lease.eniId, status: "Available" }]);
    await del(node, "a");
    await node.clock.advance(400_000);
    expect(node.cloud.truth()).toEqual([]);
  });

  it("F16: an address unassigned by a hand: not given when it was free, reported when it was used", async () => {
    const node = await started(new TestNode(22, { minIdle: 3, maxIdle: 3 }));
    const lease = await add(node, "a");
    await node.clock.advance(120_000);
    const free = node.pool.view().enis[0]?.addresses.find(({ state }) => state === "free")?.address;
    node.cloud.change(lease.eniId, (eni) => ({
      ...eni,
      ipv4: eni.ipv4.filter((address) => address !== free && address !== lease.ipv4?.address),
    }));
    await node.clock.advance(300_000);
    expect(node.events).toContainEqual({ type: "address-vanished", address: lease.ipv4?.address, leaseId: lease.id });
    const others = [await add(node, "b"), await add(node, "c"), await add(node, "d")].map((other) => other.ipv4?.address);
    for (const address of others) expect(node.cloud.isAttached(address ?? "")).toBe(true);
  });

  it("a pod that waits is not put off with an address that the cloud does not show", async () => {
    const node = await started(new TestNode(29, { minIdle: 1, maxIdle: 1 }));
    await node.clock.advance(120_000);
    await add(node, "a");
    await node.clock.advance(120_000);
    const free = node.pool.view().enis[0]?.addresses.find(({ state }) => state === "free")?.address;
    node.cloud.change("eni-1", (eni) => ({ ...eni, ipv4: eni.ipv4.filter((address) => address !== free) }));
    await node.clock.advanceFor(node.pool.sync());
    const startMs = node.clock.monotonicMs();
    expect((await add(node, "b")).ipv4?.address).toBeDefined();
    expect(node.clock.monotonicMs() - startMs).toBeLessThan(3_000);
  });

  it("F17: an address that somebody assigned to our ENI is ours", async () => {
    const node = await started(new TestNode(23, { minIdle: 1, maxIdle: 5 }));
    node.cloud.change("eni-1", (eni) => ({ ...eni, ipv4: [...eni.ipv4, "10.0.1.99"] }));
    await node.clock.advanceFor(node.pool.sync());
    expect(node.pool.view().enis[0]?.addresses).toContainEqual(expect.objectContaining({ address: "10.0.1.99", state: "free" }));
  });

  it("F18: a foreign ENI is never touched, never used, and counts against the slots", async () => {
    const node = new TestNode(24, { minIdle: 0, maxIdle: 0, maxEnis: 2, ipv4PerEni: 2 });
    node.cloud.put(foreignEni("eni-foreign"));
    node.cloud.put(foreignEni("eni-primary", { type: "Primary", primaryIpv4: "10.0.9.9", ipv4: ["10.0.9.9"] }));
    await node.start();
    await add(node, "a");
    await add(node, "b");
    const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("c"), { deadlineMs: 60_000 }));
    expect(answer).toMatchObject({ ok: false, failure: { problem: { class: "full", message: expect.stringContaining("not ours") } } });
    await del(node, "a");
    await del(node, "b");
    await node.clock.advance(600_000);
    expect(node.cloud.truth().map(({ id }) => id)).toEqual(["eni-foreign", "eni-primary"]);
    expect(node.pool.view().enis).toMatchObject([{ id: "eni-foreign", ours: false, addresses: [] }]);
  });

  it("F11: an attachment that sticks is given up after its deadline, and another ENI takes its place", async () => {
    const node = new TestNode(25, { minIdle: 1, maxIdle: 1 });
    let stuck: string | undefined;
    node.failpoint = (name) => {
      if (name !== "attach.answered" || stuck !== undefined) return;
      stuck = "eni-1";
      // It is attached for nobody: Attaching for ever, until it is seen as detached.
      node.cloud.change(stuck, (eni) => ({ ...eni, status: "Creating" }));
    };
    await node.start();
    await node.clock.advance(130_000);
    node.cloud.change("eni-1", ({ instanceId: _, ...eni }) => ({ ...eni, status: "Available" }));
    await node.clock.advance(120_000);
    expect(node.cloud.truth()).toMatchObject([{ id: "eni-2", status: "InUse" }]);
  });
});
