import { randomUUID } from "node:crypto";
import { agentImage } from "./containerd.ts";
import type { CriClient } from "./cri.ts";
import type { LabNode } from "./node.ts";

export interface PodSpec {
  readonly namespace: string;
  readonly name: string;
  /** Given anew to every pod by the API server; a StatefulSet's pod keeps its name and gets another. Default: random. */
  readonly uid?: string;
  /** Default true: one container with `lab-agent serve`; false: only the sandbox. */
  readonly container?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly portMappings?: readonly { readonly hostPort: number; readonly containerPort: number; readonly protocol: "TCP" | "UDP" }[];
}

export interface RunningPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly sandboxId: string;
  readonly addresses: readonly string[];
  /** Path on the node. */
  readonly netns: string;
  /** Time of the RunPodSandbox call: namespace, CNI ADD, pause container. */
  readonly sandboxMs: number;
}

/** Does what a kubelet does to start a pod. */
export async function runPod(node: LabNode, cri: CriClient, spec: PodSpec): Promise<RunningPod> {
  const uid = spec.uid ?? randomUUID();
  const config = sandboxConfig(node, spec, uid);
  const started = performance.now();
  const sandboxId = await cri.runSandbox(config);
  const sandboxMs = performance.now() - started;
  const status = await cri.sandboxStatus(sandboxId);
  if (status.netns === undefined) throw new Error(`the runtime does not tell the network namespace of ${spec.namespace}/${spec.name}`);
  if (spec.container !== false) {
    const container = {
      metadata: { name: "agent", attempt: 0 },
      image: { image: agentImage },
      logPath: "agent.log",
      linux: { securityContext: { namespaceOptions: podNamespaces } },
    };
    await cri.startContainer(await cri.createContainer(sandboxId, container, config));
  }
  return { namespace: spec.namespace, name: spec.name, uid, sandboxId, addresses: status.addresses, netns: status.netns, sandboxMs };
}

/** Does what a kubelet does to remove a pod: stop until it succeeds, then remove. */
export async function removePod(cri: CriClient, sandboxId: string): Promise<void> {
  await cri.stopSandbox(sandboxId);
  await cri.removeSandbox(sandboxId);
}

const podNamespaces = { network: "POD", pid: "CONTAINER", ipc: "POD" } as const;

function sandboxConfig(node: LabNode, spec: PodSpec, uid: string) {
  return {
    metadata: { name: spec.name, namespace: spec.namespace, uid, attempt: 0 },
    hostname: spec.name,
    logDirectory: `/var/log/pods/${spec.namespace}_${spec.name}_${uid}`,
    labels: { "io.kubernetes.pod.name": spec.name, "io.kubernetes.pod.namespace": spec.namespace, "io.kubernetes.pod.uid": uid },
    ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
    ...(spec.portMappings === undefined ? {} : { portMappings: spec.portMappings }),
    linux: { cgroupParent: `${node.podCgroup}/${uid}`, securityContext: { namespaceOptions: podNamespaces } },
  };
}
