import { access } from "node:fs/promises";
import type { Lease } from "@terway/model";
import type { Node } from "./node.ts";
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
  for (const lease of node.pool.leases()) {
    const { id } = lease;
    if (node.flight.busy(node.pool.ownerOf(id)) || (lease.state !== "releasing" && !(await isGarbage(node, lease)))) continue;
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

/**
 * Two witnesses: the sandbox's namespace is not to be seen, and the API server, asked now, has no such pod any more, or one that has ended; or the pod has a
 * newer sandbox here. One of them alone proves nothing: a pod that was deleted by force may still run, and a namespace may be out of this process's sight.
 */
async function isGarbage(node: Node, lease: Lease): Promise<boolean> {
  if (node.clock.wallMs() - lease.allocatedAtMs < graceMs || (await exists(lease.sandbox.netns))) return false;
  const { podNamespace: namespace, podName: name, podUid: uid, ifName } = lease.sandbox;
  const replaced = node.pool.leases().some((other) => {
    const { sandbox, generation, state } = other;
    const same = sandbox.podNamespace === namespace && sandbox.podName === name && sandbox.podUid === uid && sandbox.ifName === ifName;
    return same && uid !== undefined && generation > lease.generation && state === "bound";
  });
  return replaced || node.pods.isGone({ namespace, name, ...(uid === undefined ? {} : { uid }) });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
