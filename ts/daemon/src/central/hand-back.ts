import { apply } from "@terway/kube";
import type { Clock } from "@terway/model";
import type { Cluster } from "../cluster/cluster.ts";
import { nodeResources } from "../cluster/kinds.ts";
import type { Logger } from "../log.ts";
import { wasCentral } from "./mark.ts";

const askMs = 2_000;
const pollMs = 500;
/** A control plane that runs lets go within seconds; one that does not run holds nothing. */
const letGoWithinMs = 30_000;

/**
 * Takes the node's ENIs back from the control plane, when it had them: the node's wishes go from its Node object, and the control plane ends what it does there
 * and takes its own account away. Two that both assign and unassign would hinder each other. Answers whether it may have had
 * them, so that what the journal says of them is old.
 */
export async function takeBack(
  cluster: Cluster,
  parts: { readonly name: string; readonly stateDir: string; readonly clock: Clock; readonly log: Logger },
): Promise<boolean> {
  const { client } = cluster;
  const { clock, log, name, stateDir } = parts;
  const had = await wasCentral(stateDir);
  if (client === undefined || !had) return had;
  const read = () => cluster.read(nodeResources, undefined, name, AbortSignal.timeout(askMs));
  try {
    const object = await read();
    if (object?.spec?.eni === undefined) return true;
    await apply(client, { resource: nodeResources.resource, name }, {}, { fieldManager: "terwayd", force: true });
    const endMs = clock.monotonicMs() + letGoWithinMs;
    while (clock.monotonicMs() < endMs) {
      if ((await read())?.status?.lastSyncOpenAPITime === undefined) {
        log.info("the node's ENIs are its own again");
        return true;
      }
      await clock.sleep(pollMs);
    }
    log.warn(`terway-controlplane has not let go of this node's ENIs within ${letGoWithinMs / 1000} s; it is taken not to run`);
  } catch (error) {
    log.warn(`whether the control plane has this node's ENIs cannot be asked: ${error instanceof Error ? error.message : String(error)}`);
  }
  return true;
}
