import type { Node } from "./node.ts";
import { release } from "./release.ts";

/** Releases that the kernel did not let finish are tried again in this period. */
const periodMs = 30_000;

/** Goes on with half released leases until the signal ends it. */
export async function sweep(node: Node, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await node.clock.sleep(periodMs, signal);
    } catch {
      return;
    }
    for (const lease of node.pool.leases()) {
      if (lease.state !== "releasing" || node.flight.busy(node.pool.ownerOf(lease.id))) continue;
      try {
        const { failures } = await node.flight.run(lease.id, "DEL", () => release(node, lease.id));
        if (failures.length > 0) node.log.warn({ id: lease.id, failures }, "still not removed");
        else node.log.info({ id: lease.id }, "removed at last");
      } catch (error) {
        node.log.warn({ id: lease.id, err: error }, "still not removed");
      }
    }
  }
}
