import { cniCode } from "@terway/model";
import type { Deadline } from "../deadline.ts";
import { CniError } from "../failure.ts";
import type { Node } from "../node.ts";
import type { PluginConf } from "../plugin-conf.ts";
import { release } from "../release.ts";

/**
 * Releases every lease that the runtime does not list, then removes what carries our mark and belongs to no lease. Goes on after a failure and
 * reports all of them at the end. A lease younger than the call is left alone: its ADD may have begun after the list was made.
 */
export async function gc(node: Node, call: { readonly conf: PluginConf; readonly deadline: Deadline }): Promise<void> {
  const valid = call.conf.validAttachments;
  if (valid === undefined) throw new CniError(cniCode.invalidConfig, "network configuration: cni.dev/valid-attachments: is missing");
  const stale = node.pool
    .leases()
    .filter((lease) => !valid.has(node.pool.ownerOf(lease.id)) && !node.flight.busy(node.pool.ownerOf(lease.id)));
  const problems: string[] = [];
  const work = async () => {
    for (const { id } of stale) {
      try {
        const { failures } = await node.flight.run(id, "DEL", () => release(node, id));
        problems.push(...failures.map((failure) => `${id}: ${failure}`));
        node.log.info({ verb: "GC", id }, "released, the runtime does not know it");
      } catch (error) {
        problems.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    const surveyed = await node.datapath.survey();
    if (!surveyed.ok) throw new Error(surveyed.error.message);
    // Links without a lease: the journal lost them. Those that the runtime does not know go; while others are left, nothing else is collected.
    const strangers = surveyed.value.filter(({ id }) => node.pool.lease(id) === undefined && !node.flight.busy(id));
    for (const { id } of strangers.filter(({ id }) => !valid.has(id))) {
      const { failures } = await node.flight.run(id, "DEL", () => release(node, id));
      problems.push(...failures.map((failure) => `${id}: ${failure}`));
    }
    if (strangers.some(({ id }) => valid.has(id))) return;
    const collected = await node.datapath.collect();
    if (collected.removed.length > 0) node.log.info({ verb: "GC", removed: collected.removed }, "removed what belonged to no attachment");
    problems.push(...collected.failures.map((failure) => failure.message));
  };
  await call.deadline.race(work(), () => new CniError(cniCode.tryAgainLater, "collection takes longer than the caller waits and goes on"));
  if (problems.length > 0) throw new CniError(cniCode.ioFailure, `${problems.length} objects could not be removed`, problems.join("\n"));
}
