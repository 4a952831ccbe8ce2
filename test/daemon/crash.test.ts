import { failpoints } from "@terway/ipam";
import { until } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Daemon, TestNode } from "./support/test-node.ts";

/** `kill -9` at every step of ADD and DEL that leaves something for recovery, driven by the daemon's own test hook (I1, I6, I8). */
const journal = failpoints.filter((name) => name.startsWith("journal.append."));
const addSteps = [
  // The first append of an ADD is its lease, the second one that it is bound.
  ...journal.flatMap((name) => [`${name}@add`, `${name}@add:2`]),
  ...failpoints.filter((name) => /^(allocate|bound)\./.test(name)),
  "add.allocated",
  "add.attached",
];
const delSteps = [
  ...journal.flatMap((name) => [`${name}@del`, `${name}@del:2`]),
  ...failpoints.filter((name) => name.startsWith("release.")),
  "del.begun",
  "del.detached",
];

let node: TestNode;
let daemon: Daemon;

beforeAll(async () => {
  node = await TestNode.create({ min_pool_size: 3, max_pool_size: 5 });
  daemon = await node.start();
});
afterAll(() => node?.destroy());

/** The daemon dies at the step; what the executable was asked is answered by the one that is started after it. */
async function dyingAt(step: string, call: () => Promise<{ exitCode: number; output: unknown }>) {
  await daemon.stop();
  daemon = await node.start({ env: { TERWAY_FAILPOINT: step } });
  const answer = call();
  const { signal } = await daemon.ended;
  expect(signal).toBe("SIGKILL");
  daemon = await node.start();
  return answer;
}

const leases = async () => (await node.mapping()).leases;

describe("kill -9 during ADD: the retried call succeeds with one address", () => {
  for (const step of addSteps) {
    test(step, async () => {
      const pod = await node.pod();
      const answer = await dyingAt(step, () => node.cni("ADD", pod));
      expect(answer).toMatchObject({ exitCode: 0 });
      const [lease, ...others] = await leases();
      expect(others).toEqual([]);
      expect(JSON.stringify(answer.output)).toContain(lease?.addresses[0]);
      expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
      await until("cloud, journal and kernel agree", 10_000, async () => (await node.mapping()).mismatches.length === 0);
      expect((await node.cni("DEL", pod)).exitCode).toBe(0);
      expect(await leases()).toEqual([]);
    });
  }
});

describe("kill -9 during DEL: the pod is gone, its address comes back", () => {
  for (const step of delSteps) {
    test(step, async () => {
      const pod = await node.pod();
      const address = await node.add(pod);
      const answer = await dyingAt(step, () => node.cni("DEL", pod));
      expect(answer).toMatchObject({ exitCode: 0 });
      await until("the lease is gone", 5_000, async () => (await leases()).length === 0);
      expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(false);
      await until("the address is free again", 10_000, async () => {
        const states = (await node.mapping()).enis.flatMap((eni) => eni.addresses).filter((one) => one.address === address);
        return states.every((one) => one.state === "free" || one.state === "unassigning");
      });
      await until("cloud, journal and kernel agree", 10_000, async () => (await node.mapping()).mismatches.length === 0);
    });
  }
});

test("kill -9 with many calls under way: every pod has one address, none is given twice (I1)", async () => {
  const pods = await Promise.all(Array.from({ length: 6 }, () => node.pod()));
  const calls = Promise.all(pods.map((pod) => node.cni("ADD", pod)));
  await until("some pods are attached", 10_000, async () => (await leases()).length >= 2);
  const killed = daemon;
  await killed.stop("SIGKILL");
  daemon = await node.start({ unawaited: true });
  const answers = await calls;
  expect(
    answers.map((answer) => answer.exitCode),
    `${killed.log}\n${daemon.log}`,
  ).toEqual(pods.map(() => 0));
  const held = (await leases()).flatMap((lease) => lease.addresses);
  expect(new Set(held).size).toBe(pods.length);
  await Promise.all(pods.map((pod) => node.cni("DEL", pod)));
  expect(await leases()).toEqual([]);
  expect(await node.lab.cloud.violations()).toEqual([]);
});
