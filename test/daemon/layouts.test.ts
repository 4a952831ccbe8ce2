import { mkdir, readdir, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { repositoryRoot, until } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ApiCluster } from "../../ts/policy/src/testing/api.ts";
import { netCounter } from "./support/net-counters.ts";
import { PolicyWorld } from "./support/policy-world.ts";
import { script, within } from "./support/within.ts";

/** The other side: the same sources with another layout of every table (scripts/build-other-layout.sh). */
const other = { TERWAY_DATAPATH_ADDON: join(repositoryRoot, "dist/other-layout/datapath.node") };
/** One of the two in a long run; both, there and back once, otherwise. */
const only = process.env.TERWAY_TEST_PATH;
const wantedRounds = process.env.TERWAY_TEST_ROUNDS;
const paths = [
  { path: "stack", conf: {}, rounds: Number(wantedRounds ?? 2) },
  {
    path: "fast",
    conf: { eniip_virtual_type: "datapathv2", service_cidr: "172.16.0.0/16,fd00:96::/112" },
    rounds: Number(wantedRounds ?? 2),
  },
].filter(({ path }) => only === undefined || only === path);
const streamSchema = z.object({ asked: z.number(), answered: z.number(), longestMs: z.number() });
const steadySchema = z.object({ sent: z.number(), received: z.number(), problem: z.string().optional() });

describe.each(paths)("pods that meet by the $path path", ({ path, conf, rounds }) => {
  let world: PolicyWorld;
  beforeAll(async () => {
    world = await PolicyWorld.create(conf);
  }, 120_000);
  afterAll(() => world?.close());

  /** Segments that the pod's TCP sent again because they were lost: not those of refused connections, nor those that had arrived after all (DSACK). */
  async function lost(netns: string): Promise<number> {
    const [again, ofRefused, arrived] = await Promise.all([
      netCounter(netns, "snmp", "Tcp", "RetransSegs"),
      netCounter(netns, "netstat", "TcpExt", "TCPSynRetrans"),
      netCounter(netns, "netstat", "TcpExt", "TCPDSACKRecv"),
    ]);
    return again - ofRefused - arrived;
  }

  /** Packets that were handed from pod to pod past the stack, as the programs in force have counted. */
  async function handedOver(): Promise<number> {
    const { text } = await world.node.get("/metrics");
    return Number(/^terway_policy_packets\{reason="forwarded_pod"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0);
  }

  /** Directories of layouts that have pins. */
  const layouts = async () => (await readdir(join(world.node.directory, "bpf/terway"))).toSorted();

  test(`${rounds} rounds of upgrade and downgrade to another map layout lose no packet and change no verdict (I14)`, {
    timeout: 300_000 + rounds * 30_000,
    retry: 0,
  }, async () => {
    // Both directions are isolated on both ends: without its flow no answer would pass.
    const toB = { podSelector: { matchLabels: { app: "b" } }, namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "x" } } };
    const cluster: ApiCluster = {
      ...world.cluster,
      policies: [
        {
          metadata: { namespace: "x", name: "b-takes-from-a" },
          spec: {
            podSelector: { matchLabels: { app: "b" } },
            policyTypes: ["Ingress", "Egress"],
            ingress: [{ from: [{ podSelector: { matchLabels: { app: "a" } } }] }],
          },
        },
        {
          metadata: { namespace: "x", name: "a-sends-to-b" },
          spec: { podSelector: { matchLabels: { app: "a" } }, policyTypes: ["Ingress", "Egress"], egress: [{ to: [toB] }] },
        },
      ],
    };
    await world.settle(cluster);
    const [ipv4 = "", ipv6 = ""] = world.podOf("x/b").addresses.toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
    const before = await lost(world.netnsOf("x/a"));
    const steady = await Promise.all(
      [ipv4, ipv6].map((address) => within(world.netnsOf("x/a"), [...script("steady-stream.ts"), address, "80"])),
    );
    const allowed = await Promise.all(
      [ipv4, ipv6].map((address) => within(world.netnsOf("x/a"), [...script("request-stream.ts"), address, "80"])),
    );
    const denied = await within(world.netnsOf("y/a"), [...script("request-stream.ts"), ipv4, "80", "1"]);
    const own = (await layouts())[0];

    for (let round = 0; round < rounds; round += 1) {
      const isOther = round % 2 === 0;
      await world.node.restart(round % 3 === 2 ? "SIGTERM" : "SIGKILL", isOther ? { env: other } : {});
      const [left, ...more] = await layouts();
      expect([left !== own, more]).toEqual([isOther, []]);
      expect(world.node.log().some(({ msg }) => String(msg).includes("took over from another version"))).toBe(true);
      if (path === "fast") {
        const before = await handedOver();
        await until("the streams go past the stack again", 10_000, async () => (await handedOver()) > before + 100);
      }
      // The streams judge every moment; all paths are tried less often when there are many rounds.
      if (rounds > 10 && round % 10 !== 9) continue;
      const wrong = (await world.measure(cluster)).filter(({ expected, passed }) => expected !== passed);
      expect(wrong).toEqual([]);
    }

    const ends = [...steady, ...allowed, denied];
    for (const { child } of ends) child.kill("SIGTERM");
    const outcomes = await Promise.all(ends.map(async ({ lines }) => JSON.parse(String((await lines.next()).value)) as unknown));
    const [first, second, ...asking] = outcomes;
    const missed = (await lost(world.netnsOf("x/a"))) - before;
    const summary = {
      rounds,
      path,
      kernel: release(),
      steady: [first, second],
      allowed: asking.slice(0, 2),
      forbidden: asking[2],
      lost: missed,
    };
    console.log(JSON.stringify(summary));
    for (const flow of [first, second].map((one) => steadySchema.parse(one))) {
      expect(flow.problem).toBeUndefined();
      expect(flow.sent).toBeGreaterThan(100 * rounds);
      expect(flow.received).toBe(flow.sent);
    }
    const [v4, v6, forbidden] = asking.map((one) => streamSchema.parse(one));
    for (const stream of [v4, v6]) {
      expect(stream?.asked).toBeGreaterThan(100 * rounds);
      expect(stream?.answered).toBe(stream?.asked);
    }
    expect(forbidden?.asked).toBeGreaterThan(100 * rounds);
    expect(forbidden?.answered).toBe(0);
    expect(missed).toBeLessThanOrEqual(0);
    const record = process.env.TERWAY_TEST_RECORD;
    if (record === undefined) return;
    await mkdir(dirname(join(repositoryRoot, record)), { recursive: true });
    await writeFile(join(repositoryRoot, record), `${JSON.stringify(summary, null, 2)}\n`);
  });
});
