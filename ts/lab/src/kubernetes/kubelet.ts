import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ProcessRecord } from "../host/process.ts";
import type { ClusterNode } from "../lab/cluster-node.ts";
import type { World } from "../lab/world.ts";
import type { LabNode } from "../node/node.ts";
import { type ControlPlane, nodeIdentity } from "./control-plane.ts";

const home = "/var/lib/kubelet";
const files = {
  config: `${home}/config.yaml`,
  kubeconfig: `${home}/kubeconfig`,
  authority: `${home}/pki/ca.crt`,
  certificate: `${home}/pki/kubelet.crt`,
  key: `${home}/pki/kubelet.key`,
  resolver: "/etc/kubernetes/resolv.conf",
} as const;

/**
 * Kernel settings that a kubelet writes for the whole machine (pkg/kubelet/cm, setupKernelTunables). A node of the lab shows it files of its own in
 * their place, with the values that it wants.
 */
const machineSettings = {
  "vm/overcommit_memory": 1,
  "vm/panic_on_oom": 0,
  "kernel/panic": 10,
  "kernel/panic_on_oops": 1,
  "kernel/keys/root_maxkeys": 1_000_000,
  "kernel/keys/root_maxbytes": 25_000_000,
} as const;

/** Gives the node its identity and its kubelet's configuration. Once before the first {@link startKubelet}. */
export async function installKubelet(plane: ControlPlane, { node, machine }: ClusterNode): Promise<void> {
  const { name } = node;
  const kubeconfig = await plane.kubeconfig(name, nodeIdentity(name), "vpc");
  const serving = await plane.authority.issue({
    name: `${name}-serving`,
    user: `system:node:${name}`,
    groups: ["system:nodes"],
    usage: "serverAuth",
    dnsNames: [name],
    addresses: [machine.primary.ipv4, machine.primary.ipv6],
  });
  for (const [target, source] of [
    [files.kubeconfig, kubeconfig],
    [files.authority, plane.authority.certificate],
    [files.certificate, serving.certificate],
    [files.key, serving.key],
  ] as const) {
    await writeOnNode(node, target, await readFile(source, "utf8"));
  }
  // No name service of the machine's own: what a pod of `dnsPolicy: Default` asks is answered by nobody.
  await writeOnNode(node, files.resolver, "nameserver 127.0.0.1\n");
  await writeOnNode(node, files.config, `${JSON.stringify(configuration(node), undefined, 2)}\n`);
  await hideMachineSettings(node);
}

/** Starts the kubelet, which registers the node when the API server answers. */
export function startKubelet(plane: ControlPlane, { node, machine }: ClusterNode, { regionId }: World): Promise<ProcessRecord> {
  const labels = { "topology.kubernetes.io/region": regionId, "topology.kubernetes.io/zone": machine.zoneId };
  return node.start("kubelet", [
    plane.program("kubelet"),
    `--config=${files.config}`,
    `--kubeconfig=${files.kubeconfig}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${machine.primary.ipv4},${machine.primary.ipv6}`,
    // As the cloud's own controller names an instance.
    `--provider-id=${regionId}.${machine.instanceId}`,
    `--node-labels=${Object.entries({ ...labels, "node.kubernetes.io/instance-type": machine.instanceType })
      .map(([key, value]) => `${key}=${value}`)
      .join(",")}`,
    `--root-dir=${home}`,
  ]);
}

function configuration(node: LabNode): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: files.authority } },
    authorization: { mode: "Webhook" },
    tlsCertFile: files.certificate,
    tlsPrivateKeyFile: files.key,
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    cgroupDriver: "cgroupfs",
    cgroupRoot: node.podCgroup,
    // Machines with the first version of control groups still serve as labs.
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: ["pods"],
    // The disk is the host's, and how full it is, is none of a node's business.
    evictionHard: { "memory.available": "100Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%" },
    imageGCHighThresholdPercent: 100,
    imageMaximumGCAge: "0s",
    resolvConf: files.resolver,
    // The address that installations give the name service, whether one is there or not.
    clusterDNS: ["172.16.0.10"],
    clusterDomain: "cluster.local",
    maxPods: 110,
    // A pod's end is seen within a second of it, and a node's state within a few.
    nodeStatusUpdateFrequency: "4s",
    serializeImagePulls: false,
    registerNode: true,
  };
}

/** Once a boot, before the kubelet's start. */
export async function hideMachineSettings(node: LabNode): Promise<void> {
  const script = Object.entries(machineSettings).map(([name, value]) => {
    const own = `/etc/kubernetes/settings/${name}`;
    return `[ ! -e /proc/sys/${name} ] || { mkdir -p ${dirname(own)}; echo ${value} > ${own}; mount --bind ${own} /proc/sys/${name}; }`;
  });
  await node.run(["sh", "-e"], { input: `${script.join("\n")}\n` });
}

/** `path` as the node sees it. */
export async function writeOnNode(node: LabNode, path: string, text: string): Promise<void> {
  await mkdir(node.path(dirname(path)), { recursive: true });
  await writeFile(node.path(path), text, { mode: 0o600 });
}
