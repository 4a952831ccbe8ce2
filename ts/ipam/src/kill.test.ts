import { fork } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "@terway/model";
import { SeededRandom } from "@terway/model/testing";
import { afterAll, describe, expect, it } from "vitest";
import type { Failpoint } from "./failpoint.ts";
import { failpoints } from "./failpoint.ts";
import { openPool } from "./open.ts";
import { serveCloud } from "./testing/cloud-ipc.ts";
import { ModelCloud } from "./testing/model-cloud.ts";
import { fourPods, instanceId, sandbox } from "./testing/node.ts";
import { scaledClock } from "./testing/scaled-clock.ts";

const factor = 250;
const clock = scaledClock(factor);
const root = mkdtempSync(join(tmpdir(), "terway-kill-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Kind = keyof typeof fourPods;

interface Life {
  readonly kind: Kind;
  readonly signal: NodeJS.Signals | null;
  readonly directory: string;
  readonly cloud: ModelCloud;
}

/** One process that lives until it reaches the failpoint for the n-th time. */
function liveUntil(failpoint: Failpoint | "none", skip: number, kind: Kind = "shared"): Promise<Life> {
  const directory = join(root, `${failpoint}-${skip}-${kind}`);
  mkdirSync(directory);
  // Something for the repair to set aside.
  if (failpoint === "journal.repair.set-aside") appendFileSync(join(directory, "journal"), "torn");
  const cloud = new ModelCloud({
    clock,
    random: new SeededRandom(skip + 1),
    instanceId,
    vSwitches: [{ id: "vsw-a", zoneId: "z-1", cidr: "10.0.1.0/24", left: 250 }],
    maxEnis: fourPods[kind].maxEnis,
    ipv4PerEni: 3,
    ipv6PerEni: 3,
  });
  const child = fork(join(import.meta.dirname, "testing/daemon-process.ts"), [directory, failpoint, `${skip}`, `${factor}`, kind], {
    execArgv: [],
  });
  let alive = true;
  const connection = cloud.connect(() => alive);
  child.on("message", (message) => serveCloud(connection, message, (answer) => alive && child.connected && child.send(answer)));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      alive = false;
      if (signal === null && code !== 0) reject(new Error(`the process ended with ${code}`));
      else resolve({ kind, signal, directory, cloud });
    });
  });
}

interface Answers {
  readonly live: Map<string, { generation: number; address: string }>;
  readonly deleting: Set<string>;
}

function answersOf(directory: string): Answers {
  const live = new Map<string, { generation: number; address: string }>();
  const deleting = new Set<string>();
  const path = join(directory, "answers");
  for (const line of existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []) {
    const event = JSON.parse(line);
    if (event.added) live.set(event.added, event);
    if (event.deleting) {
      live.delete(event.deleting);
      deleting.add(event.deleting);
    }
    if (event.deleted) deleting.delete(event.deleted);
  }
  return { live, deleting };
}

/** The next process: nothing answered is lost, nothing is given twice, the retried calls succeed, and the cloud ends up as if nothing had happened. */
async function recover({ kind, directory, cloud }: Life): Promise<void> {
  const { live, deleting } = answersOf(directory);
  const given = new Map([...live].map(([name, { address }]) => [address, name]));
  cloud.onEffect = (action, eniId, addresses) => {
    const eni = cloud.truth().find(({ id }) => id === eniId);
    const lost = action.startsWith("Unassign") ? addresses : (eni?.ipv4 ?? []);
    for (const address of lost) if (given.has(address)) throw new Error(`I3/I4: ${action} takes ${address} from ${given.get(address)}`);
  };
  const pool = await openPool({
    journalDir: directory,
    cloud: cloud.connect(() => true),
    clock,
    random: systemRandom,
    config: fourPods[kind],
    identity: { instanceId },
    bootId: "boot-1",
    lockWaitMs: 0, // the killed process holds nothing any more
  });
  try {
    for (const [name, { generation, address }] of live) {
      expect(pool.lease(`${name}/eth0`), `I6: lease of ${name}`).toMatchObject({ generation, ipv4: { address } });
    }
    for (const name of deleting) {
      await pool.beginRelease(`${name}/eth0`);
      await pool.finishRelease(`${name}/eth0`);
    }
    // The runtime retries what was not answered: everybody has an address in the end, each another one.
    for (const name of ["a", "b", "c", "d"]) {
      // Minutes of real time, as in daemon-process.ts.
      const answer = await pool.allocate(sandbox(name), { deadlineMs: 60_000_000 });
      if (!answer.ok) throw new Error(answer.failure.message);
      const address = answer.lease.ipv4?.address ?? "";
      expect([undefined, name], `I1: ${address}`).toContain(given.get(address));
      if (live.has(name)) expect(answer.lease.generation, `I8: ${name}`).toBe(live.get(name)?.generation);
      given.set(address, name);
      expect(cloud.isAttached(address), `I2: ${address}`).toBe(true);
    }
    expect(given.size).toBe(4);
    expect(new Set(pool.leases().map(({ eniId }) => eniId)).size, "I1: pods that share an ENI").toBe(kind === "exclusive" ? 4 : 2);
    for (const name of ["a", "b", "c", "d"]) {
      await pool.beginRelease(`${name}/eth0`);
      for (const [address, holder] of given) if (holder === name) given.delete(address);
      await pool.finishRelease(`${name}/eth0`);
    }
    for (;;) {
      await pool.sync();
      const enis = cloud.truth();
      if (pool.view().free === 1 && enis.length === 1 && enis[0]?.ipv4.length === 1) break;
    }
  } finally {
    await pool.close();
  }
}

describe("kill -9 at every named step (I1–I6, I8)", () => {
  it("passes every failpoint when nothing kills it", async () => {
    const life = await liveUntil("none", 0);
    expect(life.signal).toBeNull();
    await recover(life);
  }, 60_000);

  it.concurrent.each(failpoints)("%s", { timeout: 120_000 }, async (name) => {
    const life = await liveUntil(name, 0);
    expect(life.signal, `the process never came to ${name}`).toBe("SIGKILL");
    await recover(life);
  });

  // Whole ENIs: one address of each family comes with them, and nothing is assigned or taken away singly.
  it.concurrent.each(failpoints.filter((name) => !/^(assign|unassign|journal)\./.test(name)))(
    "%s, with whole ENIs",
    { timeout: 120_000 },
    async (name) => {
      const life = await liveUntil(name, 1, "exclusive");
      if (life.signal === null) expect(name).toMatch(/^recover\./);
      await recover(life);
    },
  );

  it.concurrent.each(["journal.append.durable", "journal.append.written", "allocate.journaled", "release.finished"] as const)(
    "%s, the third time",
    { timeout: 120_000 },
    async (name) => {
      const life = await liveUntil(name, 2);
      expect(life.signal, `the process never came to ${name} three times`).toBe("SIGKILL");
      await recover(life);
    },
  );
});
