import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { metadataAddress, openApiAddress } from "../fabric/addresses.ts";
import { run } from "../host/command.ts";
import type { World } from "../lab/world.ts";
import { repositoryRoot } from "../node/node.ts";
import type { ContainerRuntime } from "../node/runtime.ts";
import type { KubernetesCluster, PoolSize } from "./cluster.ts";
import { defaultServiceCidrs } from "./control-plane.ts";

const chart = join(repositoryRoot, "helm/terway");
const imageArchive = join(repositoryRoot, "dist/image/terway-amd64.oci.tar");

/** The chart's values for a lab: its vSwitches by zone, its credentials, and its endpoints instead of the cloud's. */
function chartValues({ accessKeyId, accessKeySecret, nodes, securityGroupId }: World, pool: PoolSize): object {
  const vswitches: Record<string, string[]> = {};
  for (const { zoneId, vSwitchId } of nodes) vswitches[zoneId] = [...new Set([...(vswitches[zoneId] ?? []), vSwitchId])];
  const endpoints = {
    TERWAY_ECS_ENDPOINT: `http://${openApiAddress}`,
    TERWAY_VPC_ENDPOINT: `http://${openApiAddress}`,
    TERWAY_METADATA_ENDPOINT: `http://${metadataAddress}`,
  };
  return {
    credentials: { accessKeyId, accessKeySecret },
    eniConf: {
      ip_stack: "dual",
      service_cidr: defaultServiceCidrs.join(","),
      vswitches,
      security_groups: [securityGroupId],
      min_pool_size: pool.min,
      max_pool_size: pool.max,
    },
    extraEnv: Object.entries(endpoints).map(([name, value]) => ({ name, value })),
  };
}

/**
 * Installs Terway by its chart in a cluster of the lab, with the real Helm and the image that `scripts/image.sh` has made. Resolves when every daemon and every
 * node is ready; throws with what Helm and the daemon's pods say.
 */
export async function installChart(cluster: KubernetesCluster, runtime: ContainerRuntime, pool: PoolSize): Promise<void> {
  await access(imageArchive).catch(() => {
    throw new Error(`${imageArchive} is missing; npm run image makes it`);
  });
  await Promise.all(
    cluster.nodes.map(({ on }) => on.node.run([runtime.ctr, "-n", "k8s.io", "images", "import", imageArchive], { timeoutMs: 120_000 })),
  );
  const values = join(cluster.lab.directory.path, "values.json");
  // The AccessKey stands in it.
  await writeFile(values, `${JSON.stringify(chartValues(cluster.lab.world, pool), undefined, 2)}\n`, { mode: 0o600 });
  const install = ["install", "terway", chart, "-n", "kube-system", "-f", values, "--wait", "--timeout", "180s"];
  try {
    await run([cluster.wrapper("helm"), ...install], { timeoutMs: 200_000 });
  } catch (error) {
    // Helm only says that it has waited long enough.
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${await symptoms(cluster)}`, { cause: error });
  }
  await cluster.ready();
}

/** What the cluster says of the daemon's pods. */
async function symptoms(cluster: KubernetesCluster): Promise<string> {
  const kubectl = async (...args: readonly string[]) => {
    const { stdout, stderr } = await run([cluster.wrapper("kubectl"), "-n", "kube-system", ...args], { allow: [1] });
    return (stdout + stderr).trim();
  };
  const columns = "custom-columns=OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message";
  return [
    await kubectl("get", "pods", "-o", "wide"),
    await kubectl("get", "events", "--field-selector", "type=Warning", "--no-headers", "-o", columns),
    await kubectl("logs", "ds/terway-eniip", "--all-containers", "--tail", "5"),
  ].join("\n");
}
