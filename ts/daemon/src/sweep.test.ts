import type { Lease } from "@terway/model";
import { expect, test } from "vitest";
import { isGarbage, type Witnesses } from "./sweep.ts";

const hour = 3_600_000;
const lease = (generation: number, more: Partial<Lease> = {}): Lease => ({
  id: `c${generation}/eth0`,
  generation,
  state: "bound",
  sandbox: {
    containerId: `c${generation}`,
    ifName: "eth0",
    netns: `/ns/${generation}`,
    podNamespace: "default",
    podName: "web-0",
    podUid: "u-1",
  },
  eniId: "eni-1",
  eniMac: "00:16:3e:00:00:01",
  allocatedAtMs: 0,
  ...more,
});
const say = (there: readonly string[], gone: boolean): Witnesses & { readonly asked: string[] } => {
  const asked: string[] = [];
  return {
    asked,
    namespaceExists: async (path) => there.includes(path),
    podIsGone: async ({ name }) => {
      asked.push(name);
      return gone;
    },
  };
};
const judge = (one: Lease, others: readonly Lease[], witnesses: Witnesses, nowMs = hour) =>
  isGarbage(one, [one, ...others], nowMs, witnesses);

test("goes when its namespace is gone and the cluster has no such pod", async () => {
  expect(await judge(lease(1), [], say([], true))).toBe(true);
});

test("stays while its namespace is there, whatever the cluster says, and nobody is asked", async () => {
  const witnesses = say(["/ns/1"], true);
  expect(await judge(lease(1), [], witnesses)).toBe(false);
  expect(witnesses.asked).toEqual([]);
});

test("stays while the cluster has the pod, or cannot be asked", async () => {
  expect(await judge(lease(1), [], say([], false))).toBe(false);
});

test("stays for two minutes, whoever says what", async () => {
  expect(await judge(lease(1), [], say([], true), 119_000)).toBe(false);
});

test("goes when the same pod has a newer sandbox, not when another pod of its name has, nor when that one goes", async () => {
  const newer = lease(2);
  expect(await judge(lease(1), [newer], say(["/ns/2"], false))).toBe(true);
  expect(await judge(lease(1), [{ ...newer, sandbox: { ...newer.sandbox, podUid: "u-2" } }], say([], false))).toBe(false);
  expect(await judge(lease(1), [{ ...newer, state: "releasing" }], say([], false))).toBe(false);
  expect(await judge(lease(3), [newer], say([], false))).toBe(false);
});
