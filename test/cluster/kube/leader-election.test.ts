import { LeaderElection, openClient, pathOf, type Resource } from "@terway/kube";
import { systemClock } from "@terway/model";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { useControlPlane } from "../control-plane-fixture.ts";

const plane = useControlPlane();
const leases: Resource = { apiVersion: "coordination.k8s.io/v1", plural: "leases", kind: "Lease", namespaced: true };
const leaseSchema = z.object({
  spec: z.object({ holderIdentity: z.string().optional(), leaseTransitions: z.number().optional(), renewTime: z.string().optional() }),
});
const candidates: LeaderElection[] = [];
afterEach(async () => {
  for (const candidate of candidates.splice(0)) await candidate.stop();
});

const times = { leaseMs: 6000, renewMs: 4000, retryMs: 300 };

async function candidate(identity: string, name: string) {
  const log: string[] = [];
  const client = await openClient({ kubeconfig: plane().admin }, identity);
  const election = new LeaderElection({
    client,
    clock: systemClock,
    namespace: "kube-system",
    name,
    identity,
    ...times,
    onLead: () => log.push("leads"),
    onLost: (reason) => log.push(reason),
  });
  candidates.push(election);
  return { election, log };
}

async function lease(name: string) {
  return leaseSchema.parse(await plane().client.call({ method: "GET", path: pathOf(leases, "kube-system", name) })).spec;
}

const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 40_000, interval: 50 });

test("the first leads and renews; when it is stopped the second follows at once", async () => {
  const [a, b] = [await candidate("a", "two"), await candidate("b", "two")];
  a.election.start();
  await eventually(() => expect(a.log).toEqual(["leads"]));
  b.election.start();
  const { renewTime } = await lease("two");
  await eventually(async () => expect((await lease("two")).renewTime).not.toBe(renewTime));
  expect(b.log).toEqual([]);
  await a.election.stop();
  await eventually(() => expect(b.log).toEqual(["leads"]));
  expect(await lease("two")).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
});

test("a leader that cannot reach the API server says so before its lease is over, and leads again when it can", async () => {
  const { election, log } = await candidate("only", "outage");
  election.start();
  await eventually(() => expect(log).toEqual(["leads"]));
  await plane().stopApiServer();
  const stopped = performance.now();
  await eventually(() => expect(log).toHaveLength(2));
  expect(log[1]).toContain("could not be renewed");
  expect(performance.now() - stopped).toBeLessThan(times.leaseMs);
  await plane().startApiServer();
  await eventually(() => expect(log).toHaveLength(3));
});

test("client-go's candidate waits for ours, and follows when ours gives the lease back", async () => {
  const ours = await candidate("ours", "shared");
  ours.election.start();
  await eventually(() => expect(ours.log).toEqual(["leads"]));
  const control = plane();
  const kubeconfig = await control.kubeconfig("scheduler", { user: "admin", groups: ["system:masters"] }, "here");
  const files = ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"].map((flag) => `--${flag}=${kubeconfig}`);
  const elect = ["--leader-elect", "--leader-elect-resource-name=shared", "--leader-elect-resource-namespace=kube-system"];
  const seconds = ["--leader-elect-lease-duration=6s", "--leader-elect-renew-deadline=4s", "--leader-elect-retry-period=1s"];
  await control.startProgram("kube-scheduler", [...files, ...elect, ...seconds, "--secure-port=0"]);
  const transitions = (await lease("shared")).leaseTransitions;
  // Long enough for it to have come and found the lease taken.
  await systemClock.sleep(times.leaseMs + 2000);
  expect(await lease("shared")).toMatchObject({ holderIdentity: "ours", leaseTransitions: transitions });
  await ours.election.stop();
  await eventually(async () => expect((await lease("shared")).holderIdentity).toMatch(/_/));
  expect((await lease("shared")).leaseTransitions).toBe((transitions ?? 0) + 1);
});
