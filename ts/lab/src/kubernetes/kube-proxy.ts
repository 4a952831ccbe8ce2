import { readFile } from "node:fs/promises";
import type { ProcessRecord } from "../host/process.ts";
import type { ClusterNode } from "../lab/cluster-node.ts";
import type { ControlPlane } from "./control-plane.ts";
import { writeOnNode } from "./kubelet.ts";

export type ProxyMode = "nftables" | "iptables";

const files = { config: "/etc/kubernetes/kube-proxy.yaml", kubeconfig: "/etc/kubernetes/kube-proxy.kubeconfig" } as const;

/** Starts kube-proxy on the node. */
export async function startKubeProxy(plane: ControlPlane, { node, machine }: ClusterNode, mode: ProxyMode): Promise<ProcessRecord> {
  const kubeconfig = await plane.kubeconfig(`kube-proxy-${node.name}`, { user: "system:kube-proxy" }, "vpc");
  await writeOnNode(node, files.kubeconfig, await readFile(kubeconfig, "utf8"));
  const configuration = {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode,
    clientConnection: { kubeconfig: files.kubeconfig },
    hostnameOverride: node.name,
    // Pods' addresses are no ranges of nodes, so what comes from a pod is told by the interface that it comes through.
    detectLocalMode: "InterfaceNamePrefix",
    detectLocal: { interfaceNamePrefix: "cali" },
    bindAddress: machine.primary.ipv4,
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
    // The size of the table of connections belongs to the machine, not to a node made of namespaces.
    conntrack: { maxPerCore: 0 },
  };
  await writeOnNode(node, files.config, `${JSON.stringify(configuration, undefined, 2)}\n`);
  return node.start("kube-proxy", [plane.program("kube-proxy"), `--config=${files.config}`]);
}
