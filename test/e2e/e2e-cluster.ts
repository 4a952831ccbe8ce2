import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ClusterNode, containerRuntime, KubernetesCluster, Lab, missingFiles, type Progress, pauseImage, planOf } from "@terway/lab";
import { pauseName, type SuiteImage, suiteImages } from "./images.ts";
import { startNameService } from "./name-service.ts";
import type { SuiteProgram } from "./programs.ts";

export interface E2eClusterOptions {
  readonly id: string;
  readonly nodes: number;
  readonly proxy: "nftables" | "iptables";
  /** Pods' packets go past the nodes' stack. */
  readonly fastPath: boolean;
  readonly program: (name: SuiteProgram) => string;
}

/** Free addresses that each node keeps at least and at most. */
const pool = { min: 8, max: 24 };

/** A cluster as `npm run cluster` makes it, with the suite's images on its nodes and a name service. */
export async function startE2eCluster(
  { id, nodes, proxy, fastPath, program }: E2eClusterOptions,
  progress: Progress,
): Promise<KubernetesCluster> {
  const runtime = containerRuntime("debian");
  const missing = await missingFiles(runtime);
  if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; npm run bootstrap installs them`);
  const plan = planOf(nodes);
  const lab = await progress.step("VPC with cloud API, metadata and machines", () => Lab.create(id, plan));
  const cluster = await progress.step(`control plane, ${nodes} nodes with kubelet and kube-proxy`, () =>
    KubernetesCluster.start(lab, { plan, runtime, proxy }),
  );
  await Promise.all(cluster.nodes.map(({ on }) => chainPortmap(on)));
  await progress.step("terwayd: pools warm, nodes Ready", () =>
    cluster.startTerway(pool, fastPath ? { eniConf: { eniip_virtual_type: "datapathv2" } } : {}),
  );
  await progress.step("the suite's images on every node", async () => {
    const images = await suiteImages(program);
    await Promise.all(cluster.nodes.map((node) => load(node, images, runtime.ctr)));
  });
  await progress.step("name service", () => startNameService(cluster));
  return cluster;
}

/** Host ports are portmap's, behind our plugin in the list, as docs/guides/chaining.md says. */
async function chainPortmap({ node }: ClusterNode): Promise<void> {
  const plugins = [
    { type: "terway", symmetric_routing: true, capabilities: { bandwidth: true } },
    { type: "portmap", capabilities: { portMappings: true }, snat: true },
  ];
  await writeFile(node.path("/etc/eni/10-terway.conflist"), JSON.stringify({ plugins }));
}

async function load({ on: { node } }: KubernetesCluster["nodes"][number], images: readonly SuiteImage[], ctr: string): Promise<void> {
  const command = [ctr, "--namespace", "k8s.io", "images"];
  await node.run([...command, "tag", pauseImage, pauseName]);
  for (const [index, { names, archive }] of images.entries()) {
    const file = join(node.sharedDirectory, `suite-${index}.tar`);
    await writeFile(file, archive);
    await node.run([...command, "import", file], { timeoutMs: 120_000 });
    const [first, ...others] = names;
    if (others.length > 0) await node.run([...command, "tag", first, ...others]);
  }
}
