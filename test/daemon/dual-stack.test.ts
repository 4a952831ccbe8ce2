import { inNetNamespace, run } from "@terway/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestNode } from "./support/test-node.ts";

let node: TestNode;

beforeAll(async () => {
  node = await TestNode.create({ ip_stack: "dual" });
  await node.start();
});
afterAll(() => node?.destroy());

const ping6 = async (netns: string, target: string) =>
  (await run(inNetNamespace(netns, ["ping", "-6", "-c", "1", "-W", "2", target]), { allow: [1, 2] })).code === 0;

test("a pod gets an address of each family from one ENI, and both carry packets the moment ADD returns", async () => {
  const pod = await node.pod();
  const added = await node.cni("ADD", pod);
  expect(added.output).toMatchObject({
    ips: [
      { address: expect.stringMatching(/^10\.0\.1\.\d+\/24$/), gateway: "10.0.1.253" },
      { address: expect.stringMatching(/^fd00::101:[0-9a-f:]+\/64$/), gateway: "fd00::101:ffff:ffff:ffff:fffd" },
    ],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  });
  expect(await ping6(pod.netns, node.machine.primary.ipv6)).toBe(true);
  expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
  const [lease] = (await node.mapping()).leases;
  expect(lease?.addresses).toHaveLength(2);
  expect(await node.cni("CHECK", pod, { conf: { prevResult: added.output } })).toMatchObject({ exitCode: 0 });
  await node.end(pod);
  expect((await node.mapping()).leases).toEqual([]);
});

test("two pods of the node reach each other over IPv6", async () => {
  const [a, b] = [await node.pod(), await node.pod()];
  await node.add(a);
  await node.add(b);
  const [lease] = (await node.mapping()).leases.filter((one) => one.id === `${b.containerId}/eth0`);
  expect(await ping6(a.netns, lease?.addresses[1] ?? "")).toBe(true);
  for (const pod of [a, b]) await node.end(pod);
});

test("the pair comes back after kill -9, unchanged", async () => {
  const pod = await node.pod();
  const first = await node.cni("ADD", pod);
  await node.restart("SIGKILL");
  expect((await node.cni("ADD", pod)).output).toEqual(first.output);
  expect(await ping6(pod.netns, node.machine.primary.ipv6)).toBe(true);
  await node.end(pod);
});
