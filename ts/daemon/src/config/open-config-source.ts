import type { Clock } from "@terway/model";
import type { Cluster } from "../cluster/cluster.ts";
import type { Flags } from "../flags.ts";
import type { Logger } from "../log.ts";
import type { OwnNode } from "../own-node.ts";
import { ConfigFiles } from "./config-file.ts";
import { ConfigMapSource } from "./config-map.ts";
import type { ConfigSource } from "./configuration.ts";

/** Files where the flags name some or no API server is, else the ConfigMap. */
export function openConfigSource(parts: {
  readonly flags: Pick<Flags, "files" | "stateDir" | "namespace">;
  readonly cluster: Cluster;
  readonly ownNode: OwnNode;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onBroken: (problems: readonly string[]) => void;
}): ConfigSource {
  const { flags, cluster, ownNode, clock, log, onBroken } = parts;
  if (flags.files !== undefined) return new ConfigFiles({ ...flags.files, clock, log });
  return new ConfigMapSource({ cluster, ownNode, stateDir: flags.stateDir, namespace: flags.namespace, log, onBroken });
}
