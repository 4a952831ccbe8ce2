import { openClient } from "@terway/kube";
import type { Clock, Random } from "@terway/model";
import type { ClusterPlace } from "../flags.ts";
import type { Logger } from "../log.ts";
import { ApiCluster } from "./api-cluster.ts";
import type { Cluster } from "./cluster.ts";
import { noCluster } from "./no-cluster.ts";
import { ObjectDirectory } from "./object-directory.ts";

/** The cluster that the flags name. Rejects when a kubeconfig file or service account cannot be used; asks nobody yet. */
export async function openCluster(
  place: ClusterPlace | undefined,
  parts: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
): Promise<Cluster> {
  if (place === undefined) return noCluster;
  if ("directory" in place) return new ObjectDirectory(place.directory, parts.log, parts.clock);
  return new ApiCluster({ ...parts, client: await openClient(place, "terwayd") });
}
