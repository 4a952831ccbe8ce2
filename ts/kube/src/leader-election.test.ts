import { FakeClock, SeededRandom } from "@terway/model/testing";
import { expect, test } from "vitest";
import { ApiError, TransportError } from "./api-error.ts";
import type { KubeClient, KubeRequest } from "./client.ts";
import { LeaderElection } from "./leader-election.ts";

interface Lease {
  metadata: { resourceVersion: string };
  spec: { holderIdentity?: string; leaseTransitions?: number; leaseDurationSeconds?: number };
}

/** One Lease with optimistic concurrency, as the API server keeps it; how each request goes is up to `line`. */
class LeaseServer {
  lease: Lease | undefined;
  #version = 0;

  client(line: () => Promise<void>): KubeClient {
    return {
      call: async (request) => {
        await line();
        const answer = structuredClone(this.#serve(request));
        await line();
        return answer;
      },
      open: () => Promise.reject(new Error("nobody watches a lease")),
    };
  }

  #serve({ method, body }: KubeRequest): Lease {
    const present = this.lease;
    if (method === "GET") {
      if (present === undefined) throw new ApiError("lease", 404, { reason: "NotFound" });
      return present;
    }
    const wanted = body as Lease;
    const fits = method === "POST" ? present === undefined : present?.metadata.resourceVersion === wanted.metadata.resourceVersion;
    if (!fits) throw new ApiError("lease", 409, { reason: "Conflict" });
    this.#version += 1;
    this.lease = { ...wanted, metadata: { ...wanted.metadata, resourceVersion: String(this.#version) } };
    return this.lease;
  }
}

function candidate(server: LeaseServer, clock: FakeClock, identity: string, line: () => Promise<void> = async () => {}) {
  const log: string[] = [];
  let leads = false;
  const election = new LeaderElection({
    client: server.client(line),
    clock,
    namespace: "kube-system",
    name: "terway-controlplane",
    identity,
    onLead: () => {
      leads = true;
      log.push(`leads at ${clock.monotonicMs()}`);
    },
    onLost: (reason) => {
      leads = false;
      log.push(`lost at ${clock.monotonicMs()}: ${reason}`);
    },
  });
  return { election, log, leads: () => leads };
}

test("the first leads, the second waits; when the first is stopped the second follows within its next look", async () => {
  const server = new LeaseServer();
  const clock = new FakeClock();
  const [a, b] = [candidate(server, clock, "a"), candidate(server, clock, "b")];
  a.election.start();
  await clock.advance(1);
  b.election.start();
  await clock.advance(60_000);
  expect([a.leads(), b.leads()]).toEqual([true, false]);
  const stopped = a.election.stop();
  await clock.advanceFor(stopped);
  await clock.advance(4000);
  expect([a.leads(), b.leads()]).toEqual([false, true]);
  expect(server.lease?.spec).toMatchObject({ holderIdentity: "b", leaseTransitions: 1, leaseDurationSeconds: 15 });
  await clock.advanceFor(b.election.stop());
});

test("a leader that dies without a word is followed when its lease has run out, not before", async () => {
  const server = new LeaseServer();
  const clock = new FakeClock();
  let cut = false;
  const dead = candidate(server, clock, "dead", () => (cut ? Promise.reject(new TransportError("line", "cut")) : Promise.resolve()));
  const next = candidate(server, clock, "next");
  dead.election.start();
  await clock.advance(1);
  next.election.start();
  await clock.advance(10_000);
  cut = true;
  await clock.advance(13_000);
  expect([dead.leads(), next.leads()]).toEqual([false, false]);
  await clock.advance(7000);
  expect(next.leads()).toBe(true);
  await clock.advanceFor(Promise.all([dead.election.stop(), next.election.stop()]));
});

test("whatever the lines do, two never lead at once", async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = new SeededRandom(seed);
    const server = new LeaseServer();
    const clock = new FakeClock();
    const line = async () => {
      const die = random.next();
      if (die < 0.15) throw new TransportError("line", "cut");
      if (die < 0.4) await clock.sleep(random.next() * 20_000);
    };
    const all = ["a", "b", "c"].map((identity) => candidate(server, clock, identity, line));
    for (const { election } of all) election.start();
    let led = 0;
    for (let step = 0; step < 600; step += 1) {
      await clock.advance(500);
      const leaders = all.filter(({ leads }) => leads()).length;
      expect(leaders, `seed ${seed} at ${clock.monotonicMs()}`).toBeLessThanOrEqual(1);
      led += leaders;
    }
    expect(led, `seed ${seed}: nobody ever led`).toBeGreaterThan(0);
    await clock.advanceFor(Promise.all(all.map(({ election }) => election.stop())));
  }
});
