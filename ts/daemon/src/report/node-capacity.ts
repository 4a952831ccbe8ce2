import { ApiError, type KubeClient, mergePatch } from "@terway/kube";
import type { Clock, InstanceLimits, PoolConfig } from "@terway/model";
import { nodes } from "../cluster/kinds.ts";
import type { Logger } from "../log.ts";
import type { OwnNode } from "../own-node.ts";

const lookMs = 5_000;
const prefix = "k8s.aliyun.com/";

/**
 * How many pods the instance can carry, as schedulers and people who set the kubelet's `max-pods` want to know it: shared, addresses of an ENI × (adapters
 * − 1); exclusive, adapters − 1; less where `eni_conf` says so. Members of a trunk: all ENIs less the adapters. Pure.
 */
export function capacityAnnotations(
  config: Pick<PoolConfig, "exclusive" | "ipv4" | "maxEnis" | "ipv4PerEni" | "ipv6PerEni">,
  limits: Pick<InstanceLimits, "adapters" | "totalAdapters" | "trunkSupported">,
  trunk: boolean,
): Readonly<Record<string, string>> {
  const perEni = config.exclusive ? 1 : config.ipv4 ? config.ipv4PerEni : config.ipv6PerEni;
  const members = Math.max(0, limits.totalAdapters - limits.adapters);
  return {
    [`${prefix}max-available-ip`]: String(config.maxEnis * perEni),
    ...(trunk && limits.trunkSupported ? { [`${prefix}max-member-eni-ip`]: String(members) } : {}),
  };
}

export interface CapacityParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ownNode: OwnNode;
  /** Undefined while the instance's limits are not known. */
  readonly wanted: () => Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
}

/** Keeps the node's annotations equal to what the instance can carry. */
export async function keepCapacity({ client, clock, log, ownNode, wanted, signal }: CapacityParts): Promise<void> {
  while (!signal.aborted) {
    const present = ownNode.object?.metadata.annotations;
    const due = Object.entries(wanted() ?? {}).filter(([name, value]) => present !== undefined && present[name] !== value);
    if (due.length > 0) {
      const patch = { metadata: { annotations: Object.fromEntries(due) } };
      await mergePatch(client, { resource: nodes.resource, name: ownNode.name }, patch, "terwayd").catch((error: unknown) => {
        const refused = error instanceof ApiError && error.status === 403;
        log[refused ? "warn" : "debug"]({ err: error }, "the node's capacity cannot be written");
      });
    }
    await clock.sleep(lookMs, signal).catch(() => {});
  }
}
