import { expect, test } from "vitest";
import { runChaos } from "../chaos/run.ts";
import { useCluster } from "./cluster-fixture.ts";

/** `npm run test:chaos` is the long form. */
const cluster = useCluster({ nodes: 2 });

test("replicas killed while pods come and go and the cloud fails: no address is on two live sandboxes, all agree again, nothing leaks", async () => {
  const outcome = await runChaos(cluster(), { seconds: 45, pods: 30, least: 4, most: 24, seed: 7 }, () => {});
  expect(outcome.wrong).toEqual([]);
  // It was what it says: somebody died, calls were struck, and the auditor saw pods.
  expect(outcome.kills + outcome.endedByThemselves).toBeGreaterThan(0);
  expect(Object.values(outcome.faults).filter(({ struck }) => struck > 0).length).toBeGreaterThan(0);
  expect(outcome.audit.looks).toBeGreaterThan(5);
  expect(outcome.audit.mostSandboxes).toBeGreaterThan(3);
  // Recovery waits for back-offs of the kubelet and of the pool.
}, 900_000);
