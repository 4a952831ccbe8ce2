import { mkdir, writeFile } from "node:fs/promises";
import { logTail } from "../host/log-tail.ts";
import { isAlive, type ProcessRecord } from "../host/process.ts";
import { CriClient } from "./cri.ts";
import type { LabNode } from "./node.ts";
import type { ContainerRuntime } from "./runtime.ts";
import { until } from "./until.ts";

export const pauseImage = "registry.terway.test/pause:1";
export const agentImage = "registry.terway.test/lab-agent:1";

/**
 * containerd's configuration. `restrict_oom_score_adj`: root in a container or a small virtual machine may lack CAP_SYS_RESOURCE, and no
 * sandbox would start. AppArmor profiles belong to the host, not to a node made of namespaces.
 */
function containerdConfig(runtime: ContainerRuntime): string {
  const common = `root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [${unused[runtime.generation].map((plugin) => JSON.stringify(plugin)).join(", ")}]
[grpc]
  address = "/run/containerd/containerd.sock"
`;
  if (runtime.generation === 1) {
    return `version = 2
${common}[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "${runtime.runc}"
      SystemdCgroup = false
`;
  }
  return `version = 3
${common}[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${pauseImage}"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "${runtime.runc}"
      SystemdCgroup = false
`;
}

const unused = {
  1: [
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.aufs",
  ],
  2: [
    "io.containerd.nri.v1.nri",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.erofs",
  ],
} as const;

/** A running containerd of a node, and the way to talk to it. */
export interface Containerd {
  readonly process: ProcessRecord;
  readonly cri: CriClient;
}

/** Starts containerd on the node, imports the images and resolves when the CRI has them. */
export async function startContainerd(node: LabNode, runtime: ContainerRuntime, imageFiles: readonly string[]): Promise<Containerd> {
  await mkdir(node.path("/etc/containerd"), { recursive: true });
  await writeFile(node.path("/etc/containerd/config.toml"), containerdConfig(runtime));
  // The standard plugins are part of a node's image; containerd 1.x calls `loopback` for every sandbox.
  await node.run(["sh", "-c", "cp /usr/lib/cni/* /opt/cni/bin/"]);
  const path = `${runtime.directory}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  const process = await node.start("containerd", [runtime.containerd, "--config", "/etc/containerd/config.toml"], { PATH: path });
  const cri = new CriClient(node.path("/run/containerd/containerd.sock"));
  const alive = async () => {
    if (!(await isAlive(process))) throw new Error(`containerd on ${node.name} ended: ${await logTail(node.log("containerd"))}`);
  };
  await until(
    `containerd on ${node.name} answers`,
    30_000,
    async () => {
      await alive();
      return cri.version().then(
        () => true,
        () => false,
      );
    },
    node.log("containerd"),
  );
  for (const file of imageFiles) await node.run([runtime.ctr, "-n", "k8s.io", "images", "import", file]);
  await until(
    `the CRI on ${node.name} knows the imported images`,
    10_000,
    async () => {
      await alive();
      const known = await Promise.all([pauseImage, agentImage].map((image) => cri.hasImage(image)));
      return known.every(Boolean);
    },
    node.log("containerd"),
  );
  return { process, cri };
}
