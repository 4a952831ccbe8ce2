import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApiCluster, ApiPod } from "../../ts/policy/src/testing/api.ts";

/** A directory of Kubernetes objects, as terwayd's `--objects` reads it: holds exactly the cluster that was last written. */
export class ObjectFiles {
  readonly #directory: string;
  #written = new Map<string, string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `nodeOf` says where a pod runs. */
  async write({ namespaces, pods, policies }: ApiCluster, nodeOf: (pod: ApiPod) => string): Promise<void> {
    const files = new Map<string, string>();
    const add = (name: string, object: unknown) => files.set(`${name}.json`, JSON.stringify(object));
    for (const { name, labels } of namespaces)
      add(`namespace-${name}`, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    for (const pod of pods) add(`pod-${pod.namespace}-${pod.name}`, podObject(pod, nodeOf(pod)));
    for (const policy of policies) {
      const { namespace, name } = policy.metadata;
      add(`policy-${namespace}-${name}`, { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", ...policy });
    }
    for (const [name, text] of files) if (this.#written.get(name) !== text) await this.#replace(name, text);
    for (const name of this.#written.keys()) if (!files.has(name)) await rm(join(this.#directory, name));
    this.#written = files;
  }

  /** In one step, so that nobody reads half an object. */
  async #replace(name: string, text: string): Promise<void> {
    const path = join(this.#directory, name);
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
}

function podObject({ namespace, name, labels, ports, addresses, hostNetwork, finished }: ApiPod, nodeName: string) {
  const containerPorts = ports.map(({ name: portName, protocol, port }) => ({ name: portName, protocol, containerPort: port }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels },
    spec: { nodeName, ...(hostNetwork ? { hostNetwork } : {}), containers: [{ name: "main", ports: containerPorts }] },
    status: {
      phase: finished ? "Succeeded" : "Running",
      ...(addresses.length === 0 ? {} : { podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) }),
    },
  };
}
