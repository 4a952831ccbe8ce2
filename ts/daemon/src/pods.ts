import { cniCode } from "@terway/model";
import { CniError } from "./failure.ts";

/** The pod that a sandbox belongs to. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

/** Who the pod is. From the CNI arguments now; from the daemon's own watch of this node's pods later. */
export interface PodSource {
  identify(containerId: string, cniArgs: string | undefined): PodIdentity;
}

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

/** The kubelet's arguments; without them (cnitool, podman) the container id stands for the pod. */
export const cniArgsPods: PodSource = {
  identify(containerId, cniArgs) {
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
  },
};
