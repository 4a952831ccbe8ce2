import { access } from "node:fs/promises";
import type { Lease } from "@terway/model";
import type { Node } from "./node.ts";
import type { PodIdentity } from "./pods.ts";
import { release } from "./release.ts";

const periodMs = 30_000;
/** Younger leases are left alone: what is said of their pod elsewhere may be older than they are. */
const graceMs = 120_000;

export interface SweepResult {
  /** Ids of leases that went. */
  readonly released: readonly string[];
  /** What could not be removed. */
  readonly failures: readonly string[];
}

/** Sweeps every 30 s until the signal ends it. */
export async function sweep(node: Node, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await node.clock.sleep(periodMs, signal);
    } catch {
      return;
    }
    await sweepOnce(node);
  }
}

/** Goes on with half released leases, and ends those whose DEL was lost. */
export async function sweepOnce(node: Node): Promise<SweepResult> {
  const released: string[] = [];
  const failures: string[] = [];
  const witnesses: Witnesses = { namespaceExists: exists, podIsGone: (pod) => node.pods.isGone(pod) };
  for (const lease of node.pool.leases()) {
    const { id } = lease;
    if (node.flight.busy(node.pool.ownerOf(id))) continue;
    if (lease.state !== "releasing" && !(await isGarbage(lease, node.pool.leases(), node.clock.wallMs(), witnesses))) continue;
    try {
      const outcome = await node.flight.run(id, "DEL", () => release(node, id));
      failures.push(...outcome.failures);
      if (outcome.failures.length > 0) node.log.warn({ id, failures: outcome.failures }, "still not removed");
      else {
        released.push(id);
        node.log.info(
          { id, state: lease.state },
          lease.state === "releasing" ? "removed at last" : "released: its sandbox and its pod are gone",
        );
      }
    } catch (error) {
      failures.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
      node.log.warn({ id, err: error }, "still not removed");
    }
  }
  return { released, failures };
}

/** Who can say that a lease's sandbox lives no more. */
export interface Witnesses {
  /** Something stands at this path of a network namespace. */
  namespaceExists(path: string): Promise<boolean>;
  /** The cluster, asked now, surely has no such pod that runs. */
  podIsGone(pod: PodIdentity): Promise<boolean>;
}

/**
 * Two witnesses: the sandbox's namespace is not to be seen, and the API server, asked now, has no such pod any more, or one that has ended; or the pod has a
 * newer sandbox here. One of them alone proves nothing: a pod that was deleted by force may still run, and a namespace may be out of this process's sight.
 */
export async function isGarbage(lease: Lease, leases: readonly Lease[], nowMs: number, witnesses: Witnesses): Promise<boolean> {
  if (nowMs - lease.allocatedAtMs < graceMs || (await witnesses.namespaceExists(lease.sandbox.netns))) return false;
  const { podNamespace: namespace, podName: name, podUid: uid, ifName } = lease.sandbox;
  const replaced = leases.some(({ sandbox, generation, state }) => {
    const same = sandbox.podNamespace === namespace && sandbox.podName === name && sandbox.podUid === uid && sandbox.ifName === ifName;
    return same && uid !== undefined && generation > lease.generation && state === "bound";
  });
  return replaced || witnesses.podIsGone({ namespace, name, ...(uid === undefined ? {} : { uid }) });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
