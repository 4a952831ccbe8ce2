import { cniCode, type PodEni, type PodObject } from "@terway/model";
import { CniError } from "./failure.ts";

/** The pod that a sandbox belongs to. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

/** What is known of the pods of this node beyond what the runtime says. The port at which the Kubernetes API will stand. */
export interface PodSource {
  /** The pod's object; undefined when there is none, which is no reason to refuse it. */
  pod(identity: PodIdentity): Promise<PodObject | undefined>;
  /** The ENIs that were given to this pod alone; undefined when it takes an address of the node's own pool. */
  podEni(identity: PodIdentity): Promise<PodEni | undefined>;
  /** Of this node, as they are now. */
  nodeLabels(): Promise<Readonly<Record<string, string>>>;
}

/** Nobody to ask: the CNI call is all that is known. */
export const noPods: PodSource = {
  pod: async () => undefined,
  podEni: async () => undefined,
  nodeLabels: async () => ({}),
};

/** No namespace of Kubernetes can clash with a pod of this one and a container id for a name. */
const bareNamespace = "cni";

/** `K=V;K=V` as the specification writes it. Unknown keys are for others. Throws code 4 naming what cannot be read. */
export function parseCniArgs(text: string): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const pair of text.split(";")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    if (equals <= 0) throw new CniError(cniCode.invalidEnvironment, `CNI_ARGS: ${JSON.stringify(pair)} is no KEY=VALUE pair`);
    args.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return args;
}

/** Who the pod is, by the kubelet's arguments; without them (cnitool, podman) the container id stands for the pod. */
export function identifyPod(containerId: string, cniArgs: string | undefined): PodIdentity {
  const args = parseCniArgs(cniArgs ?? "");
  const name = args.get("K8S_POD_NAME");
  const namespace = args.get("K8S_POD_NAMESPACE");
  const uid = args.get("K8S_POD_UID");
  if (!name || !namespace) {
    if (name || namespace) {
      throw new CniError(cniCode.invalidEnvironment, `CNI_ARGS: ${name ? "K8S_POD_NAMESPACE" : "K8S_POD_NAME"} is missing or empty`);
    }
    return { namespace: bareNamespace, name: containerId };
  }
  return { namespace, name, ...(uid ? { uid } : {}) };
}
