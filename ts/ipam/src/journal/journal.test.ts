import type { Lease, PoolEvent } from "@terway/model";
import { FakeClock, SeededRandom } from "@terway/model/testing";
import { describe, expect, it } from "vitest";
import { MemoryDisk } from "../testing/memory-storage.ts";
import { sandbox } from "../testing/node.ts";
import { encodeFrame, scanFrames } from "./frame.ts";
import { Journal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import type { JournalRecord } from "./record.ts";
import { decodeCommit } from "./record.ts";

const instanceId = "i-1";

function open(
  disk: MemoryDisk,
  more: { snapshotBytes?: number; onEvent?: (event: PoolEvent) => void; instanceId?: string; clock?: FakeClock } = {},
): Promise<Journal> {
  return Journal.open({ storage: disk.open(), clock: new FakeClock(), instanceId, ...more });
}

function lease(name: string, generation: number, address: string): Lease {
  const ipv4 = { address, prefixLength: 24, gateway: "10.0.1.253" };
  return {
    id: `${name}/eth0`,
    generation,
    state: "intent",
    sandbox: sandbox(name),
    eniId: "eni-1",
    eniMac: "00:16:3e:00:00:01",
    ipv4,
    allocatedAtMs: 1,
  };
}

const rest = { wallMs: 5, monotonicMs: 7, bootId: "boot-1" };

/** A short life with every type of record. */
const life: readonly (readonly JournalRecord[])[] = [
  [{ t: "vswitch", vSwitch: { id: "vsw-a", zoneId: "z-1", cidr: "10.0.1.0/24" } }],
  [
    {
      t: "begin",
      operation: {
        id: "op-1",
        kind: "create",
        clientToken: "token-1",
        vSwitchId: "vsw-a",
        securityGroupIds: ["sg-1"],
        secondaryIpv4Count: 1,
        ipv6Count: 0,
        tags: { creator: "terway" },
      },
    },
  ],
  [
    {
      t: "eni",
      eni: {
        id: "eni-1",
        mac: "00:16:3e:00:00:01",
        type: "Secondary",
        status: "Available",
        vSwitchId: "vsw-a",
        primaryIpv4: "10.0.1.1",
        ipv4: ["10.0.1.1", "10.0.1.2"],
        ipv6: [],
      },
    },
    { t: "begin", operation: { id: "op-2", kind: "attach", eniId: "eni-1" } },
    { t: "end", id: "op-1" },
  ],
  [
    { t: "eni-status", id: "eni-1", status: "InUse" },
    { t: "end", id: "op-2" },
  ],
  [{ t: "lease", lease: lease("a", 1, "10.0.1.1") }],
  [{ t: "bound", id: "a/eth0", generation: 1 }],
  [{ t: "lease", lease: lease("b", 2, "10.0.1.2") }],
  [{ t: "releasing", id: "a/eth0", generation: 1 }],
  [{ t: "released", id: "a/eth0", generation: 1, rest }],
  [{ t: "assigned", id: "eni-1", family: "ipv4", addresses: ["10.0.1.3"] }],
  [{ t: "begin", operation: { id: "op-3", kind: "unassign", eniId: "eni-1", family: "ipv4", addresses: ["10.0.1.3"] } }],
  [{ t: "unassigned", id: "eni-1", family: "ipv4", addresses: ["10.0.1.3"] }],
  [{ t: "end", id: "op-3" }],
  [{ t: "lease", lease: { ...lease("c", 3, "10.0.1.1"), payload: { note: "äöü" } } }],
  [{ t: "lease", lease: { ...lease("whole", 4, "10.0.1.9"), eniId: "eni-9", exclusive: true } }],
  [{ t: "releasing", id: "whole/eth0", generation: 4 }],
  [{ t: "released", id: "whole/eth0", generation: 4, rest }],
  [{ t: "rest", addresses: ["10.0.1.9"], rest }],
  [{ t: "warmed-up" }],
  [{ t: "eni-gone", id: "eni-1" }],
];

async function lived(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const journal = await open(disk);
  for (const commit of life) await journal.commit(commit);
  return disk;
}

/** What a reader has to see: everything but what only this process needs. */
function stateOf(ledger: Ledger) {
  const { instanceId: owner, generation, warmedUp, leases, holders, enis, vSwitches, operations, resting } = ledger;
  const rests = [...resting].map(([address, { order: _, ...entry }]) => [address, entry]);
  return { owner, generation, warmedUp, leases, holders, enis, vSwitches, operations, rests };
}

/** The ledger after the first n frames, by another way than the journal's own. */
function prefixState(bytes: Uint8Array, frames: number) {
  const ledger = new Ledger();
  for (const frame of scanFrames(bytes).frames.slice(0, frames)) for (const record of decodeCommit(frame)) ledger.apply(record);
  ledger.instanceId ??= instanceId;
  return stateOf(ledger);
}

function frameEnds(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ends: number[] = [];
  for (let offset = 0; offset < bytes.length; ends.push(offset)) offset += 9 + view.getUint32(offset, true);
  return ends;
}

describe("journal", () => {
  it("gives the same ledger after a replay, and after a snapshot", async () => {
    const disk = await lived();
    const replayed = await open(disk);
    const expected = prefixState(disk.durable, life.length + 1);
    expect(stateOf(replayed.ledger)).toEqual(expected);
    expect(replayed.ledger.leases.get("c/eth0")?.payload).toEqual({ note: "äöü" });
    const compact = await open(disk, { snapshotBytes: 1 });
    await compact.commit([]);
    expect(compact.counters.snapshots).toBe(1);
    expect(stateOf((await open(disk)).ledger)).toEqual(expected);
  });

  it("cut at any byte: uses the longest whole prefix and sets the rest aside", async () => {
    const bytes = (await lived()).durable;
    const ends = frameEnds(bytes);
    for (let cut = 0; cut < bytes.length; cut += 1) {
      const disk = new MemoryDisk();
      disk.durable = bytes.subarray(0, cut);
      const events: PoolEvent[] = [];
      const journal = await open(disk, { onEvent: (event) => events.push(event) });
      const whole = ends.filter((end) => end <= cut).length;
      const torn = cut - (ends[whole - 1] ?? 0);
      expect(stateOf(journal.ledger), `cut at ${cut}`).toEqual(prefixState(bytes, whole));
      expect(disk.setAside.map((aside) => aside.length)).toEqual(torn > 0 ? [torn] : []);
      expect(events).toEqual(torn > 0 ? [expect.objectContaining({ type: "journal-repaired", bytesLost: torn })] : []);
      // And it is a whole journal again, to which can be added.
      await journal.commit([{ t: "lease", lease: lease("z", 99, "10.0.1.99") }]);
      const again = await open(disk);
      expect(again.repaired).toBe(false);
      expect(again.ledger.holders.get("10.0.1.99")).toBe("z/eth0");
    }
  });

  it("damaged at any byte: uses what stands before the damage, never anything else", async () => {
    const bytes = (await lived()).durable;
    const ends = frameEnds(bytes);
    const random = new SeededRandom(1);
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.integer(0, 8));
      const disk = new MemoryDisk();
      disk.durable = damaged;
      const journal = await open(disk);
      const before = ends.filter((end) => end <= at).length;
      expect(stateOf(journal.ledger), `byte ${at}`).toEqual(prefixState(bytes, before));
      expect(disk.setAside[0]?.length).toBe(bytes.length - (ends[before - 1] ?? 0));
    }
  });

  it("keeps what a newer version wrote, through a snapshot, and skips it", async () => {
    const disk = await lived();
    const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const future = [
      encodeFrame(
        encode([
          { t: "prefix", cidr: "10.0.3.0/28" },
          { t: "end", id: "none" },
        ]),
      ),
      encodeFrame(encode({ any: 1 }), 2),
    ];
    disk.durable = Buffer.concat([disk.durable, ...future]);
    const before = stateOf((await open(disk)).ledger);
    const journal = await open(disk, { snapshotBytes: 1 });
    await journal.commit([]);
    const text = Buffer.from(disk.durable).toString();
    expect(text).toContain('{"t":"prefix","cidr":"10.0.3.0/28"}');
    expect(scanFrames(disk.durable).frames.filter(({ version }) => version === 2)).toHaveLength(1);
    const after = await open(disk);
    expect(after.repaired).toBe(false);
    expect(stateOf(after.ledger)).toEqual(before);
  });

  it("I1: an address that the cloud gives to another ENI leaves the one it was on", async () => {
    const journal = await open(await lived());
    const eni = (id: string, ipv4: string[]) => ({
      t: "eni" as const,
      eni: {
        id,
        mac: id,
        type: "Secondary" as const,
        status: "InUse" as const,
        vSwitchId: "vsw-a",
        primaryIpv4: ipv4[0] ?? "",
        ipv4,
        ipv6: [],
      },
    });
    await journal.commit([eni("eni-2", ["10.0.1.20", "10.0.1.21"])]);
    await journal.commit([eni("eni-3", ["10.0.1.30", "10.0.1.21"])]);
    await journal.commit([{ t: "assigned", id: "eni-3", family: "ipv4", addresses: ["10.0.1.20"] }]);
    expect(journal.ledger.enis.get("eni-2")?.ipv4).toEqual([]);
    expect(journal.ledger.enis.get("eni-3")?.ipv4).toEqual(["10.0.1.30", "10.0.1.21", "10.0.1.20"]);
  });

  it("shares one datasync among all who commit at once (group commit)", async () => {
    const journal = await open(new MemoryDisk());
    const before = journal.counters.syncs;
    await Promise.all(Array.from({ length: 500 }, (_, i) => journal.commit([{ t: "bound", id: `${i}`, generation: 1 }])));
    expect(journal.counters.commits).toBeGreaterThanOrEqual(500);
    expect(journal.counters.syncs - before).toBeLessThanOrEqual(2);
  });

  it("lets records that nobody waits for ride along with the next commit, or go by themselves after a moment", async () => {
    const clock = new FakeClock();
    const journal = await open(new MemoryDisk(), { clock });
    const before = journal.counters.syncs;
    const early = journal.commitSoon([{ t: "bound", id: "a/eth0", generation: 1 }]);
    await clock.advance(1);
    expect(journal.counters.syncs).toBe(before);
    await Promise.all([early, journal.commit([{ t: "bound", id: "b/eth0", generation: 2 }])]);
    expect(journal.counters.syncs).toBe(before + 1);
    await clock.advanceFor(journal.commitSoon([{ t: "bound", id: "c/eth0", generation: 3 }]), 10);
    expect(journal.counters.syncs).toBe(before + 2);
    const last = journal.commitSoon([{ t: "bound", id: "d/eth0", generation: 4 }]);
    await journal.close();
    await last;
  });

  it("stays bounded: a thousand leases that come and go are compacted away", async () => {
    const disk = new MemoryDisk();
    const journal = await Journal.open({
      storage: disk.open(),
      clock: new FakeClock(),
      instanceId,
      snapshotBytes: 20_000,
      isRestOver: () => true,
    });
    for (let i = 1; i <= 1_000; i += 1) {
      await journal.commit([{ t: "lease", lease: lease(`p${i}`, i, `10.0.${i >> 8}.${i & 255}`) }]);
      await journal.commit([{ t: "releasing", id: `p${i}/eth0`, generation: i }]);
      await journal.commit([{ t: "released", id: `p${i}/eth0`, generation: i, rest }]);
      expect(disk.durable.length).toBeLessThan(21_000);
    }
    expect(journal.ledger.resting.size).toBeLessThan(100);
    expect((await open(disk)).ledger.generation).toBe(1_000);
  });

  it("disk full: the commit fails with a clear message, nothing of it happened, and it goes on when there is space", async () => {
    const disk = await lived();
    const journal = await open(disk);
    const before = stateOf(journal.ledger);
    disk.failure = Object.assign(new Error("write failed"), { code: "ENOSPC" });
    const refused = [1, 2].map((i) => journal.commit([{ t: "lease", lease: lease(`full${i}`, 50 + i, `10.0.1.5${i}`) }]));
    for (const commit of refused) await expect(commit).rejects.toThrow(/journal memory cannot be written \(ENOSPC\): no space left/);
    expect(stateOf(journal.ledger)).toEqual(before);
    expect(stateOf((await open(disk)).ledger)).toEqual(before);
    const next = await open(disk);
    await expect(next.commit([])).rejects.toThrow("ENOSPC");
    disk.failure = undefined;
    await next.commit([{ t: "lease", lease: lease("after", 60, "10.0.1.60") }]);
    const reopened = await open(disk);
    expect(stateOf(reopened.ledger)).toEqual(stateOf(next.ledger));
    expect(reopened.ledger.leases.has("full1/eth0")).toBe(false);
  });

  it("sets the journal of another instance aside, and never repeats its generations", async () => {
    const disk = await lived();
    const events: PoolEvent[] = [];
    const journal = await open(disk, { instanceId: "i-2", onEvent: (event) => events.push(event) });
    expect(journal.ledger.leases.size).toBe(0);
    expect(journal.ledger.generation).toBe(4);
    expect(events).toMatchObject([{ type: "journal-repaired", recordsKept: 0 }]);
    expect((await open(disk, { instanceId: "i-2" })).repaired).toBe(false);
  });
});
