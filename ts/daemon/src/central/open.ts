import type { Background } from "../background.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type InstanceFacts, writeFacts } from "../instance.ts";
import { journaledPool, type NodePoolParts, type OpenedPool } from "../open-pool.ts";
import type { Pods } from "../pods.ts";
import { creatorTag } from "../pool-config.ts";
import { CentralLink } from "./central-link.ts";
import { openCentralPool } from "./central-pool.ts";
import { rememberCentral } from "./mark.ts";
import { OwnResource } from "./own-resource.ts";
import { RuntimeReport } from "./runtime-report.ts";

export interface CentralParts extends NodePoolParts {
  readonly cluster: Cluster;
  readonly pods: Pods;
  readonly background: Background;
}

/** The node's part of centralized IPAM (`ipam_type: crd`): its journal and leases, its Node and NodeRuntime objects, and no call of the cloud. */
export async function openCentral(facts: InstanceFacts, parts: CentralParts): Promise<OpenedPool> {
  const { cluster, flags, clock, log, events, pods, background, datapath, conf } = parts;
  const { client } = cluster;
  if (client === undefined) throw new Error("ipam_type crd: needs an API server, by a kubeconfig file or the pod's service account");
  await writeFacts(flags.stateDir, facts);
  await rememberCentral(flags.stateDir);
  const own = new OwnResource(cluster, flags.nodeName);
  const central = await openCentralPool({
    ...{ identity: facts.identity, own, pods, pool: journaledPool(facts, parts) },
    tags: () => ({ ...conf().eniTagFilter, ...conf().eniTags, ...creatorTag }),
  });
  const leases = () => central.pool.leases();
  const report = new RuntimeReport({ client, cluster, clock, log, own, pods, datapath, leases, nodeName: flags.nodeName });
  background.run("the node's NodeRuntime", (signal) => report.run(signal));
  const pool = central.reporting(report);
  return {
    pool,
    openLink: (modes) =>
      new CentralLink(facts, {
        ...{
          client,
          own,
          pods,
          clock,
          log,
          events,
          conf,
          leases,
          modes,
          coolDownMs: flags.coolDownMs,
          exclusive: modes.node === "exclusive",
        },
        apply: (config) => {
          parts.onPoolConfig(config);
          pool.reconfigure(config);
        },
      }),
  };
}
