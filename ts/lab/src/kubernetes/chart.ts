import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { metadataAddress, openApiAddress } from "../fabric/addresses.ts";
import { run } from "../host/command.ts";
import type { World } from "../lab/world.ts";
import { repositoryRoot } from "../node/node.ts";
import type { ContainerRuntime } from "../node/runtime.ts";
import { until } from "../node/until.ts";
import type { KubernetesCluster, PoolSize } from "./cluster.ts";
import { defaultServiceCidrs } from "./control-plane.ts";

const chart = join(repositoryRoot, "helm/terway");
const imageArchive = join(repositoryRoot, "dist/image/terway-amd64.oci.tar");
const release = ["terway", chart, "-n", "kube-system"] as const;

/** The chart's values for a lab: its vSwitches by zone, its credentials, and its endpoints instead of the cloud's. */
export function chartValues({ accessKeyId, accessKeySecret, nodes, securityGroupId }: World, pool: PoolSize): object {
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

/** Terway as its chart installs it, in a cluster of the lab: the real Helm, and the image that `scripts/image.sh` has made. */
export class ChartInstallation {
  readonly #cluster: KubernetesCluster;
  readonly #values: string;

  private constructor(cluster: KubernetesCluster, values: string) {
    this.#cluster = cluster;
    this.#values = values;
  }

  /** Resolves when every daemon and every node is ready. Throws with what Helm says. */
  static async install(cluster: KubernetesCluster, runtime: ContainerRuntime, pool: PoolSize): Promise<ChartInstallation> {
    await access(imageArchive).catch(() => {
      throw new Error(`${imageArchive} is missing; npm run image makes it`);
    });
    await Promise.all(
      cluster.nodes.map(({ on }) => on.node.run([runtime.ctr, "-n", "k8s.io", "images", "import", imageArchive], { timeoutMs: 120_000 })),
    );
    const values = join(cluster.lab.directory.path, "values.json");
    // The AccessKey stands in it.
    await writeFile(values, `${JSON.stringify(chartValues(cluster.lab.world, pool), undefined, 2)}\n`, { mode: 0o600 });
    const installation = new ChartInstallation(cluster, values);
    await installation.#helm("install", ...release, "-f", values, ...patiently);
    await cluster.ready();
    for (const { on } of cluster.nodes) {
      const serves = () =>
        on.mapping().then(
          () => true,
          () => false,
        );
      await until(`terwayd on ${on.name} serves`, 60_000, serves);
    }
    return installation;
  }

  /** `settings`: as after `--set`. */
  upgrade(...settings: readonly string[]): Promise<void> {
    return this.#helm("upgrade", ...release, "-f", this.#values, ...settings.flatMap((setting) => ["--set", setting]), ...patiently);
  }

  /** To the revision before. */
  rollback(): Promise<void> {
    return this.#helm("rollback", "terway", "-n", "kube-system", ...patiently);
  }

  uninstall(): Promise<void> {
    return this.#helm("uninstall", "terway", "-n", "kube-system", ...patiently);
  }

  async #helm(...args: readonly string[]): Promise<void> {
    try {
      await run([this.#cluster.wrapper("helm"), ...args], { timeoutMs: 200_000 });
    } catch (error) {
      // Helm only says that it has waited long enough.
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${await this.#symptoms()}`, { cause: error });
    }
  }

  /** What the cluster says of the daemon's pods. */
  async #symptoms(): Promise<string> {
    const kubectl = async (...args: readonly string[]) => {
      const { stdout, stderr } = await run([this.#cluster.wrapper("kubectl"), "-n", "kube-system", ...args], { allow: [1] });
      return (stdout + stderr).trim();
    };
    const columns = "custom-columns=OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message";
    return [
      await kubectl("get", "pods", "-o", "wide"),
      await kubectl("get", "events", "--field-selector", "type=Warning", "--no-headers", "-o", columns),
      await kubectl("logs", "ds/terway-eniip", "--all-containers", "--tail", "5"),
    ].join("\n");
  }
}

const patiently = ["--wait", "--timeout", "180s"] as const;
