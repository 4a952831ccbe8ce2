import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@terway/lab";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import type { ApiCluster, ApiPod } from "../../ts/policy/src/testing/api.ts";
import { PolicyWorld } from "./support/policy-world.ts";
import { script, within } from "./support/within.ts";

const learningSeconds = 6;
const steadySchema = z.object({ sent: z.number(), received: z.number(), problem: z.string().optional() });
const deny = { podSelector: {}, policyTypes: ["Ingress", "Egress"] as ("Ingress" | "Egress")[] };
const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });

let world: PolicyWorld;
afterEach(() => world?.close());

const netnsOf = (key: string) => world.netnsOf(key);
const reaches = (netns: string, to: string) => world.reaches(netns, to);
const stateOf = async (key: string) => {
  const { stdout } = await world.node.cli("-o", "json", "policy", key);
  return z.object({ pods: z.array(z.object({ state: z.string() })) }).parse(JSON.parse(stdout)).pods[0]?.state;
};

test("pods that run when enforcement begins keep the connections that their policies allow, and lose the others", async () => {
  const off = { before: (directory: string) => writeFile(join(directory, "eni/disable_network_policy"), "true") };
  world = await PolicyWorld.create({}, { args: ["--learning-window", String(learningSeconds)], ...off });
  const policies: ApiCluster["policies"] = [
    { metadata: { namespace: "x", name: "deny" }, spec: deny },
    { metadata: { namespace: "x", name: "b-takes-a" }, spec: { ...app("b"), ingress: [{ from: [app("a")] }] } },
    { metadata: { namespace: "x", name: "a-asks-b" }, spec: { ...app("a"), policyTypes: ["Egress"], egress: [{ to: [app("b")] }] } },
  ];
  await world.settle({ ...world.cluster, policies });
  const allowed = await within(netnsOf("x/a"), [...script("steady-stream.ts"), world.ipv4Of("x/b"), "80"]);
  const forbidden = await within(netnsOf("y/a"), [...script("steady-stream.ts"), world.ipv4Of("x/b"), "80"]);
  await rm(join(world.node.directory, "eni/disable_network_policy"));
  await until("the pods are watched", 10_000, async () => (await stateOf("x/b")) === "tracked");
  expect(await reaches(netnsOf("y/b"), "x/b")).toBe(true);
  await until("the window is over", 20_000 + learningSeconds * 1_000, async () => (await stateOf("x/b")) === "enforced");
  await until("new connections are judged", 5_000, async () => (await reaches(netnsOf("y/b"), "x/b")) === false);
  expect(await reaches(netnsOf("x/a"), "x/b")).toBe(true);
  const ends = [allowed, forbidden];
  for (const { child } of ends) child.kill("SIGTERM");
  const [kept, cut] = await Promise.all(ends.map(async ({ lines }) => steadySchema.parse(JSON.parse(String((await lines.next()).value)))));
  expect(kept?.problem).toBeUndefined();
  expect(kept?.received).toBe(kept?.sent);
  expect(cut?.received).toBeLessThan(cut?.sent ?? 0);
});

/** A pod gets its network before its object is known: what passes until then, and after. */
async function startUnknown(mode: "standard" | "strict") {
  world = await PolicyWorld.create({ network_policy_enforcing_mode: mode });
  const sandbox = await world.node.pod("late");
  world.pods.set("x/late", sandbox);
  const addresses = await world.addAgain("x/late");
  const state = await stateOf("x/late");
  const before = await reaches(sandbox.netns, "x/b");
  const node = await world.node.pings(sandbox, world.node.machine.primary.ipv4);
  const late: ApiPod = { namespace: "x", name: "late", labels: { app: "late" }, ports: [], hostNetwork: false, finished: false, addresses };
  const spec = { ...app("late"), policyTypes: ["Egress" as const], egress: [{ to: [app("b")] }] };
  await world.write({
    ...world.cluster,
    pods: [...world.cluster.pods, late],
    policies: [{ metadata: { namespace: "x", name: "late-asks-b" }, spec }],
  });
  await until("its policies are in force", 10_000, async () => (await stateOf("x/late")) === "enforced");
  const after = [await reaches(sandbox.netns, "x/b"), await reaches(sandbox.netns, "x/a")];
  return { state, before, node, after };
}

test("a standard node lets a pod that is not known yet pass, until it is", async () => {
  expect(await startUnknown("standard")).toEqual({ state: "tracked", before: true, node: true, after: [true, false] });
});

test("a strict node holds a pod that is not known yet: only the node's packets pass, until it is", async () => {
  expect(await startUnknown("strict")).toEqual({ state: "held", before: false, node: true, after: [true, false] });
});
