import type { Lease } from "@terway/model";
import { describe, expect, it } from "vitest";
import { add, defaultConfig, del, sandbox, TestNode } from "./testing/node.ts";

const keepMs = 300_000;
const small = { minIdle: 0, maxIdle: 10, maxEnis: 1, ipv4PerEni: 2 };

/** A sandbox of a pod whose addresses are kept. */
async function addKept(node: TestNode, container: string, pod: string): Promise<Lease> {
  const answer = await node.clock.advanceFor(node.pool.allocate(sandbox(container, pod), { deadlineMs: 60_000, keepMs }));
  if (!answer.ok) throw new Error(answer.failure.message);
  return answer.lease;
}
const holdings = ({ eniId, ipv4, ipv6 }: Lease) => [eniId, ipv4?.address, ipv6?.address];

describe("addresses that are kept for their pod", () => {
  it.each([
    ["one address", {}],
    ["a pair of dual stack", { ipv6: true }],
    ["a whole ENI", { exclusive: true, maxEnis: 5, ipv4PerEni: 10 }],
  ])("%s: the pod's next sandbox has it at once, also after a crash", async (_, config) => {
    const node = new TestNode(1, { ...small, ...config });
    await node.start();
    const first = await addKept(node, "a1", "web-0");
    await add(node, "b");
    await del(node, "a1");
    const startMs = node.clock.monotonicMs();
    const second = await addKept(node, "a2", "web-0");
    expect(holdings(second)).toEqual(holdings(first));
    expect(node.clock.monotonicMs()).toBe(startMs);
    await del(node, "a2");
    node.kill();
    await node.start();
    expect(holdings(await addKept(node, "a3", "web-0"))).toEqual(holdings(first));
    await del(node, "a3");
    await node.stop();
    node.cloud.faultFor = () => ({ kind: "swallowed" });
    await node.start();
    expect(holdings(await addKept(node, "a4", "web-0")), "the cloud is away").toEqual(holdings(first));
  });

  it("nobody else gets it for five minutes, and then the one who waits longest does (I9)", async () => {
    const node = new TestNode(2, small);
    await node.start();
    const first = await addKept(node, "a1", "web-0");
    await add(node, "b");
    await del(node, "a1");
    const startMs = node.clock.monotonicMs();
    const other = await add(node, "c", 600_000);
    expect(other.ipv4?.address).toBe(first.ipv4?.address);
    const waitedMs = node.clock.monotonicMs() - startMs;
    expect(waitedMs).toBeGreaterThanOrEqual(keepMs - 1);
    expect(waitedMs).toBeLessThan(keepMs + 5_000);
  });

  it("a pod of another name, and one that asks for nothing to be kept, rest as always", async () => {
    const node = new TestNode(3, { ...small, ipv4PerEni: 4 });
    await node.start();
    const first = await addKept(node, "a1", "web-0");
    await del(node, "a1");
    expect((await addKept(node, "x1", "web-1")).ipv4?.address).not.toBe(first.ipv4?.address);
    const plain = await add(node, "p");
    await del(node, "p");
    const startMs = node.clock.monotonicMs();
    await add(node, "q");
    await add(node, "r", 600_000);
    const waitedMs = node.clock.monotonicMs() - startMs;
    expect(waitedMs).toBeLessThan(defaultConfig.coolDownMs + 5_000);
    expect(plain.ipv4?.address).not.toBe(first.ipv4?.address);
  });

  it("what a second sandbox of the pod holds is not given to a third one", async () => {
    const node = new TestNode(4, { ...small, ipv4PerEni: 4 });
    await node.start();
    const first = await addKept(node, "a1", "web-0");
    await del(node, "a1");
    await addKept(node, "a2", "web-0");
    expect((await addKept(node, "a3", "web-0")).ipv4?.address).not.toBe(first.ipv4?.address);
  });
});
