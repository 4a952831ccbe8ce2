import { join } from "node:path";
import { repositoryRoot, until } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ApiCluster, ApiPod } from "../../ts/policy/src/testing/api.ts";
import { netCounter } from "./support/net-counters.ts";
import { PolicyWorld } from "./support/policy-world.ts";
import type { Pod } from "./support/test-node.ts";
import { script, within } from "./support/within.ts";

const agent = join(repositoryRoot, "dist/bin/lab-agent");
/** How long a pod goes on after its first connection. */
const lifeMs = 3_000;
const reportSchema = z.object({
  datagrams: z.number(),
  connections: z.number(),
  shots: z.number(),
  connected: z.number().nullable(),
  connects: z.number(),
  errors: z.array(z.string()),
  counters: z.object({ icmp_unreachable: z.number(), resets: z.number(), retransmitted: z.number() }),
});

let world: PolicyWorld;
beforeAll(async () => {
  const pool = { max_pool_size: 110, min_pool_size: 105 };
  world = await PolicyWorld.create(pool, { instanceType: "ecs.g7.8xlarge" });
}, 240_000);
afterAll(() => world?.close(), 120_000);

const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });
const web = { ports: [{ port: 80 }] };
/** Nothing may pass in x but what new pods ask of b. */
const policies: ApiCluster["policies"] = [
  { metadata: { namespace: "x", name: "deny" }, spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } },
  { metadata: { namespace: "x", name: "b-serves" }, spec: { ...app("b"), ingress: [{ from: [app("new")], ...web }] } },
  {
    metadata: { namespace: "x", name: "new-asks" },
    spec: { ...app("new"), policyTypes: ["Egress"], egress: [{ to: [app("b")], ...web }] },
  },
];

async function freeAddresses(): Promise<string[]> {
  const { enis } = await world.node.mapping();
  return enis.flatMap(({ addresses }) => addresses.filter(({ state }) => state === "free").map(({ address }) => address));
}

/** UDP datagrams that have reached a pod, whether it has a port for them or not. */
async function datagramsTo(netns: string): Promise<number> {
  return (await netCounter(netns, "snmp", "Udp", "InDatagrams")) + (await netCounter(netns, "snmp", "Udp", "NoPorts"));
}

/** ADD; a runtime comes again when a machine under load has not answered in time. */
async function patientAdd(key: string): Promise<void> {
  for (let left = 3; ; left -= 1) {
    try {
      await world.addAgain(key);
      return;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

/** So many pods get their network at once while x/a shoots at every address that they may have; what became of each, and how often they hit x/a. */
async function bear(count: number, under: ApiCluster["policies"]) {
  const names = Array.from({ length: count }, (_, index) => `new-${index}`);
  const born = names.map(
    (name): ApiPod => ({ namespace: "x", name, labels: { app: "new" }, ports: [], hostNetwork: false, finished: false, addresses: [] }),
  );
  await world.settle({ ...world.cluster, policies: under, pods: [...world.cluster.pods, ...born] });
  const sandboxes = new Map<string, Pod>();
  for (const name of names) sandboxes.set(name, await world.node.pod(name));
  const wait = ["--udp", "9", "--tcp", "80", "--ms", String(lifeMs)];
  const aims = ["--connect", `${world.ipv4Of("x/b")}:80`, "--shoot", `${world.ipv4Of("x/a")}:7`];
  const alive = await Promise.all([...sandboxes.values()].map(({ netns }) => within(netns, [agent, "first-packets", ...aims, ...wait])));
  const before = await datagramsTo(world.netnsOf("x/a"));
  const { child: shooter } = await within(world.netnsOf("x/a"), [...script("shooter.ts"), ...(await freeAddresses())]);
  for (const [name, sandbox] of sandboxes) world.pods.set(`x/${name}`, sandbox);
  await Promise.all(names.map((name) => patientAdd(`x/${name}`)));
  const reports = await Promise.all(alive.map(async ({ lines }) => reportSchema.parse(JSON.parse(String((await lines.next()).value)))));
  shooter.kill();
  const hits = (await datagramsTo(world.netnsOf("x/a"))) - before;
  for (const [name, sandbox] of sandboxes) {
    world.pods.delete(`x/${name}`);
    await world.node.end(sandbox);
  }
  await until("the addresses have rested", 30_000, async () => (await freeAddresses()).length >= count);
  return { reports, hits };
}

const total = (reports: z.infer<typeof reportSchema>[], of: (report: z.infer<typeof reportSchema>) => number) =>
  reports.reduce((all, report) => all + of(report), 0);

test("without policies shots do hit: who shoots does shoot", { timeout: 120_000 }, async () => {
  const { reports, hits } = await bear(5, []);
  expect(total(reports, ({ datagrams }) => datagrams)).toBeGreaterThan(5);
  expect(hits).toBeGreaterThan(5);
});

describe.for([
  { count: 30, tags: [] },
  { count: 100, tags: ["long"] },
])("$count pods at once under a default-deny policy", ({ count, tags }) => {
  test("no forbidden packet arrives, no allowed connection meets an error", { tags, timeout: 300_000 }, async () => {
    const { reports, hits } = await bear(count, policies);
    expect(total(reports, ({ shots }) => shots)).toBeGreaterThan(count);
    expect(hits).toBe(0);
    expect(total(reports, ({ datagrams }) => datagrams)).toBe(0);
    expect(total(reports, ({ connections }) => connections)).toBe(0);
    expect(reports.filter(({ connects }) => connects === 0)).toEqual([]);
    expect(reports.flatMap(({ errors }) => errors)).toEqual([]);
    expect(total(reports, ({ counters }) => counters.icmp_unreachable + counters.resets)).toBe(0);
  });
});
