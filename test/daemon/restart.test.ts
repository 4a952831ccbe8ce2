import { appendFile, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inNetNamespace, run, until } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Daemon, TestNode } from "./support/test-node.ts";

let node: TestNode;
let daemon: Daemon;

beforeAll(async () => {
  node = await TestNode.create();
  daemon = await node.start();
});
afterAll(() => node?.destroy());

const leases = async () => (await node.mapping()).leases;

describe("SIGTERM", () => {
  test("ends with status 0, and pods keep their packets over it (I14)", async () => {
    const pod = await node.pod();
    await node.add(pod);
    const ping = run(inNetNamespace(pod.netns, ["ping", "-i", "0.05", "-c", "60", "-W", "1", node.machine.primary.ipv4]));
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    daemon = await node.start();
    expect((await ping).stdout).toContain(" 0% packet loss");
    expect((await leases()).map((lease) => lease.id)).toEqual([`${pod.containerId}/eth0`]);
    await node.end(pod);
  });

  test("a call that still waits for an address is served by the next daemon", async () => {
    const pod = await node.pod();
    await node.lab.cloud.command("setFault", {
      id: "slow",
      match: { action: "Assign*" },
      effect: { type: "error", code: "ServiceUnavailable", status: 503 },
    });
    const many = await Promise.all(Array.from({ length: 12 }, () => node.pod()));
    const held: typeof many = [];
    for (const one of many) {
      const free = (await node.mapping()).enis.flatMap((eni) => eni.addresses).some((address) => address.state === "free");
      if (!free) break;
      await node.add(one);
      held.push(one);
    }
    const call = node.cni("ADD", pod);
    await until(
      "the ADD waits",
      5_000,
      async () => (await node.get("/metrics")).text.match(/resource_pool_waiting_count\{[^}]*\} [1-9]/) !== null,
    );
    const stopped = daemon.stop();
    await node.lab.cloud.command("clearFaults", {});
    expect(await stopped).toEqual({ code: 0, signal: null });
    daemon = await node.start({ unawaited: true });
    expect((await call).exitCode).toBe(0);
    await node.ready(daemon);
    for (const one of [pod, ...held]) await node.end(one);
  });
});

test("a new daemon waits for the old one's journal, then serves; the old one takes nothing with it", async () => {
  const newer = await node.start({ unawaited: true });
  const pod = await node.pod();
  const address = await node.add(pod);
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  await node.ready(newer);
  daemon = newer;
  expect((await leases()).map((lease) => lease.addresses)).toEqual([[address]]);
  const other = await node.pod();
  await node.add(other);
  for (const one of [pod, other]) await node.end(one);
});

test("a daemon replaced in the middle of calls: every ADD and DEL succeeds, every address is held once (I1)", async () => {
  const pods = await Promise.all(Array.from({ length: 8 }, () => node.pod()));
  const lives = pods.map(async (pod) => {
    const seen: string[] = [];
    for (let round = 0; round < 3; round++) {
      const sandbox = { ...pod, containerId: `${pod.containerId}${round}` };
      seen.push(await node.add(sandbox));
      expect((await node.cni("DEL", sandbox)).exitCode).toBe(0);
    }
    return seen;
  });
  for (let round = 0; round < 2; round++) {
    const newer = await node.start({ unawaited: true });
    await daemon.stop();
    daemon = newer;
  }
  expect((await Promise.all(lives)).flat()).toHaveLength(24);
  await node.ready(daemon);
  expect(await leases()).toEqual([]);
  expect(await node.lab.cloud.violations()).toEqual([]);
  for (const pod of pods) await node.removeNetns(pod);
});

test("a daemon that waits for the journal ends at once when it is told to, and leaves the socket to the other", async () => {
  const waiting = await node.start({ unawaited: true });
  await until("it has begun", 10_000, async () => waiting.log.includes("own interface"));
  expect(await waiting.stop()).toEqual({ code: 0, signal: null });
  expect((await node.get("/readyz")).status).toBe(200);
});

test("DEL while no daemon runs: success at once, carried out by the next daemon at its start", async () => {
  const pod = await node.pod();
  await node.add(pod);
  await daemon.stop("SIGKILL");
  const answer = await node.cni("DEL", pod);
  expect(answer).toMatchObject({ exitCode: 0 });
  expect(await readdir(join(node.directory, "run/tombstones"))).toHaveLength(1);
  daemon = await node.start();
  expect(await leases()).toEqual([]);
  expect(await readdir(join(node.directory, "run/tombstones"))).toEqual([]);
  await node.removeNetns(pod);
});

test("a tombstone that appears while the daemon runs is carried out; a broken one is set aside", async () => {
  const pod = await node.pod();
  await node.add(pod);
  const directory = join(node.directory, "run/tombstones");
  await writeFile(join(directory, "broken.json"), "{");
  const tombstone = {
    version: 1,
    requestId: "r-1",
    containerId: pod.containerId,
    ifName: "eth0",
    netns: pod.netns,
    writtenAtMs: Date.now(),
  };
  await writeFile(join(directory, "r-1.json"), JSON.stringify(tombstone));
  await until("the pod is gone", 5_000, async () => (await leases()).length === 0);
  await until("only the broken one is left", 5_000, async () => (await readdir(directory)).join() === "broken.json.unreadable");
  await node.removeNetns(pod);
});

test("a stale socket file does not hinder, and the socket is for root only", async () => {
  await daemon.stop("SIGKILL");
  expect(await node.exists(node.socket)).toBe(true);
  daemon = await node.start();
  expect((await stat(node.socket)).mode & 0o777).toBe(0o600);
});

test("after a reboot no sandbox of the journal lives: its addresses come back without a DEL", async () => {
  const pods = [await node.pod(), await node.pod()];
  for (const pod of pods) await node.add(pod);
  await daemon.stop("SIGKILL");
  await writeFile(join(node.directory, "state/boot-id"), "00000000-0000-0000-0000-000000000000\n");
  for (const pod of pods) await node.removeNetns(pod);
  daemon = await node.start();
  expect(await leases()).toEqual([]);
  // A late DEL of the runtime is no error.
  for (const pod of pods) expect((await node.cni("DEL", pod)).exitCode).toBe(0);
});

describe("a damaged journal: pods keep their addresses, nothing is given twice (I1, I6)", () => {
  async function journalFile(): Promise<string> {
    const directory = join(node.directory, "state");
    const names = (await readdir(directory)).filter((name) => name.includes("journal") && !name.includes("lock"));
    const sizes = await Promise.all(
      names.map(async (name) => ({ path: join(directory, name), size: (await stat(join(directory, name))).size })),
    );
    const largest = sizes.sort((a, b) => b.size - a.size)[0];
    if (largest === undefined) throw new Error(`no journal in ${(await readdir(directory)).join(", ")}`);
    return largest.path;
  }

  async function flipByte(path: string): Promise<void> {
    const bytes = await readFile(path);
    const at = Math.floor(bytes.length * 0.6);
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    await writeFile(path, bytes);
  }

  describe.for([
    { how: "with a flipped byte", damage: flipByte, tags: [] },
    // Each waits until the addresses of the one before have rested.
    { how: "cut in the middle", damage: async (path: string) => truncate(path, Math.floor((await stat(path)).size / 2)), tags: ["long"] },
    { how: "with rubbish at its end", damage: (path: string) => appendFile(path, Buffer.alloc(64, 0xa5)), tags: ["long"] },
  ])("$how", ({ damage, tags }) => {
    test("what it lost is found again", { tags }, async () => {
      const pods = [await node.pod(), await node.pod()];
      const addresses = [];
      for (const pod of pods) addresses.push(await node.add(pod));
      await daemon.stop("SIGKILL");
      await damage(await journalFile());
      daemon = await node.start();
      expect(daemon.log).toContain("the journal was damaged");
      for (const pod of pods) expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
      const third = await node.pod();
      expect(addresses).not.toContain(await node.add(third));
      for (const pod of pods) expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
      for (const pod of [...pods, third]) {
        expect((await node.cni("DEL", pod)).exitCode).toBe(0);
        expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(false);
        await node.removeNetns(pod);
      }
      // DELs that the damaged journal forgot come back as leases; the next start sees that their sandboxes are gone.
      await daemon.stop();
      daemon = await node.start();
      expect(await leases()).toEqual([]);
    });
  });
});
