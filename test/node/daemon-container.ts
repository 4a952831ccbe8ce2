import { randomUUID } from "node:crypto";
import type { ClusterNode } from "@terway/lab";

/**
 * Runs a container of Terway's image as the chart's DaemonSet does: the node's network, a read-only root, not privileged, these capabilities, these
 * directories of the node. By the CRI, as a kubelet would.
 */
export async function runDaemonContainer(
  on: ClusterNode,
  container: {
    readonly name: string;
    readonly image: string;
    readonly command?: readonly string[];
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<{ sandboxId: string; containerId: string }> {
  const namespaceOptions = { network: "NODE", pid: "CONTAINER", ipc: "NODE" };
  const sandbox = {
    metadata: { name: container.name, namespace: "kube-system", uid: randomUUID(), attempt: 0 },
    logDirectory: `/var/log/pods/${container.name}`,
    linux: { cgroupParent: on.node.podCgroup, securityContext: { namespaceOptions } },
  };
  const sandboxId = await on.containerd.cri.runSandbox(sandbox);
  const mount = (path: string, propagation = "PROPAGATION_PRIVATE", readonly = false) => ({
    containerPath: path,
    hostPath: path,
    readonly,
    propagation,
  });
  const config = {
    metadata: { name: container.name, attempt: 0 },
    image: { image: container.image },
    ...(container.command === undefined ? {} : { command: container.command }),
    args: container.args ?? [],
    envs: Object.entries(container.env ?? {}).map(([key, value]) => ({ key, value: Buffer.from(value) })),
    logPath: `${container.name}.log`,
    mounts: [
      mount("/etc/eni", "PROPAGATION_PRIVATE", true),
      mount("/etc/cni/net.d"),
      mount("/opt/cni/bin"),
      mount("/run/eni"),
      mount("/run/netns", "PROPAGATION_HOST_TO_CONTAINER"),
      mount("/sys/fs/bpf", "PROPAGATION_HOST_TO_CONTAINER"),
      mount("/var/lib/cni/terway"),
    ],
    linux: {
      securityContext: {
        namespaceOptions,
        readonlyRootfs: true,
        seccomp: { profileType: "RuntimeDefault" },
        noNewPrivs: true,
        capabilities: { dropCapabilities: ["ALL"], addCapabilities: daemonCapabilities },
        maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
        readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
      },
    },
  };
  const containerId = await on.containerd.cri.createContainer(sandboxId, config, sandbox);
  await on.containerd.cri.startContainer(containerId);
  return { sandboxId, containerId };
}

/** As in the chart; what each is for stands in its README. */
const daemonCapabilities = ["NET_ADMIN", "SYS_ADMIN"];
