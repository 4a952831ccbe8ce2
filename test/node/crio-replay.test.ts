import { daemonSocket, isAlive, type ProcessRecord, requestJson, signal, startTerwayd, until, waitForEnd } from "@terway/lab";
import { mappingSchema } from "@terway/model";

import { beforeAll, expect, test } from "vitest";
import { CniRuntime, type Sandbox } from "./cni-runtime.ts";
import { useBareNode } from "./lab-fixture.ts";

/**
 * CRI-O's order of calls, without CRI-O: STATUS is polled until the network is ready, GC comes once at start with what survived, a failed DEL is not
 * repeated and its result forgotten, so that only the next GC gets the addresses back. Source: anchors.md 3.3; cri-o internal/config/cnimgr.
 */
const fixture = useBareNode();
let runtime: CniRuntime;
let daemon: ProcessRecord;
beforeAll(() => {
  runtime = new CniRuntime(fixture().node);
  daemon = fixture().daemon;
});

let made = 0;
async function sandbox(name: string): Promise<Sandbox> {
  made += 1;
  const id = `${made}`.padStart(64, "c");
  await fixture().node.run(["ip", "netns", "add", id]);
  return { id, namespace: "default", name, netns: `/var/run/netns/${id}` };
}

async function destroyNetns(one: Sandbox): Promise<void> {
  await fixture().node.run(["ip", "netns", "del", one.id]);
}

async function leases(): Promise<string[]> {
  const mapping = mappingSchema.parse(await requestJson(fixture().node.path(daemonSocket), "GET", "/v1/admin/mapping"));
  return mapping.leases.map((lease) => lease.id).sort();
}
const leaseOf = (one: Sandbox) => `${one.id}/eth0`;

async function killDaemon(): Promise<void> {
  await signal(daemon, "SIGKILL");
  expect(await waitForEnd(daemon, 5_000)).toBe(true);
}

async function startDaemon(): Promise<void> {
  daemon = await startTerwayd(fixture().node);
  await until("terwayd serves", 20_000, async () => (await runtime.status()).ok);
}

test("STATUS says no (50) while the daemon is away, again and again, and yes soon after it is back", async () => {
  expect(await runtime.status()).toMatchObject({ ok: true, stdout: "" });
  await killDaemon();
  for (let poll = 0; poll < 3; poll += 1) expect(await runtime.status()).toMatchObject({ ok: false, code: 50 });
  await startDaemon();
  expect(await isAlive(daemon)).toBe(true);
});

test("GC at start keeps what survived and drops the rest, whether its namespace is there or not", async () => {
  const [kept, lost, dead] = [await sandbox("kept"), await sandbox("lost"), await sandbox("dead")];
  for (const one of [kept, lost, dead]) await runtime.add(one);
  await destroyNetns(dead);
  expect(await leases()).toEqual([kept, lost, dead].map(leaseOf).sort());

  // CRI-O starts anew: it restores its sandboxes, and garbage is what it does not know.
  expect(await runtime.gc([kept])).toMatchObject({ ok: true });
  expect(await leases()).toEqual([leaseOf(kept)]);
  expect(await runtime.check(kept)).toMatchObject({ ok: true });
  expect(await runtime.gc([kept])).toMatchObject({ ok: true });
  expect(await leases()).toEqual([leaseOf(kept)]);

  expect(await runtime.del(kept)).toMatchObject({ ok: true });
  expect(await runtime.gc([])).toMatchObject({ ok: true });
  expect(await leases()).toEqual([]);
});

test("a DEL that fails is not repeated; the next GC brings the addresses back", async () => {
  const one = await sandbox("failing");
  await runtime.add(one);
  // An environment that the executable must refuse: CRI-O would see a failed DEL.
  expect(await runtime.del(one, { CNI_IFNAME: "not/a/name" })).toMatchObject({ ok: false, code: 4 });
  expect(await leases()).toEqual([leaseOf(one)]);
  expect(await runtime.gc([])).toMatchObject({ ok: true });
  expect(await leases()).toEqual([]);
  expect(await runtime.del(one)).toMatchObject({ ok: true });
});

test("DEL with an empty netns, for a dead one and for an unknown container is a success", async () => {
  const one = await sandbox("gone");
  await runtime.add(one);
  await destroyNetns(one);
  expect(await runtime.del({ ...one, netns: "" })).toMatchObject({ ok: true });
  expect(await runtime.del(one)).toMatchObject({ ok: true });
  expect(await runtime.del({ ...one, id: "f".repeat(64) })).toMatchObject({ ok: true });
  expect(await leases()).toEqual([]);
});

test("a DEL while the daemon is away succeeds and is worked off when it is back, before GC and after", async () => {
  const [one, two] = [await sandbox("away"), await sandbox("stays")];
  await runtime.add(one);
  const addresses = await runtime.add(two);
  await killDaemon();
  expect(await runtime.del(one)).toMatchObject({ ok: true });
  await startDaemon();
  await until("the tombstone is worked off", 10_000, async () => (await leases()).length === 1);
  expect(await runtime.gc([two])).toMatchObject({ ok: true });
  expect(await leases()).toEqual([leaseOf(two)]);
  // The same ADD again is the same address (I8).
  expect(await runtime.add(two)).toEqual(addresses);
  expect(await runtime.del(two)).toMatchObject({ ok: true });
});

test("CHECK notices what was broken, and says so", async () => {
  const one = await sandbox("broken");
  await runtime.add(one);
  expect(await runtime.check(one)).toMatchObject({ ok: true });
  await destroyNetns(one);
  const broken = await runtime.check(one);
  expect(broken.ok).toBe(false);
  expect(broken.msg).toMatch(/\S/);
  expect(await runtime.del({ ...one, netns: "" })).toMatchObject({ ok: true });
});
