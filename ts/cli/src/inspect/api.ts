import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ApiError, type KubeClient, openClient, pathOf, type Resource } from "@terway/kube";
import { z } from "zod";

const strings = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

/** What the inspections read of any object. */
export const objectSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional(), labels: strings, annotations: strings }),
  spec: z.looseObject({}).optional(),
  status: z.looseObject({}).optional(),
  data: strings,
});
export type ApiObject = z.infer<typeof objectSchema>;

const group = "network.alibabacloud.com/v1beta1";
export const resources = {
  node: { apiVersion: "v1", plural: "nodes", kind: "Node", namespaced: false },
  pod: { apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true },
  configMap: { apiVersion: "v1", plural: "configmaps", kind: "ConfigMap", namespaced: true },
  daemonSet: { apiVersion: "apps/v1", plural: "daemonsets", kind: "DaemonSet", namespaced: true },
  terwayNode: { apiVersion: group, plural: "nodes", kind: "Node", namespaced: false },
  podEni: { apiVersion: group, plural: "podenis", kind: "PodENI", namespaced: true },
} as const satisfies Record<string, Resource>;

/** An object, or why there is none to look at: absence is an answer, a missing right is not. */
export type Found =
  | { readonly kind: "found"; readonly object: ApiObject }
  | { readonly kind: "absent" }
  | { readonly kind: "unknown"; readonly why: string };

export interface Reader {
  find(resource: Resource, namespace: string | undefined, name: string): Promise<Found>;
}

/** The cluster of a kubeconfig, as kubectl finds it, or of the pod that this runs in. */
export async function openReader(kubeconfig: string | undefined): Promise<Reader> {
  const file = kubeconfig ?? process.env.KUBECONFIG ?? join(homedir(), ".kube/config");
  const inCluster = kubeconfig === undefined && process.env.KUBECONFIG === undefined && process.env.KUBERNETES_SERVICE_HOST !== undefined;
  if (!inCluster && !existsSync(file)) throw new NoCluster(`there is no kubeconfig at ${file}; name one with --kubeconfig or KUBECONFIG`);
  return readerOf(await openClient(inCluster ? { inCluster } : { kubeconfig: file }, "terway-cli"));
}

export class NoCluster extends Error {
  override readonly name = "NoCluster";
}

export function readerOf(client: KubeClient): Reader {
  return {
    async find(resource, namespace, name) {
      try {
        return { kind: "found", object: objectSchema.parse(await client.call({ method: "GET", path: pathOf(resource, namespace, name) })) };
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return { kind: "absent" };
        if (error instanceof ApiError && error.status === 403) return listed(client, resource, namespace, name);
        throw new NoCluster(error instanceof Error ? error.message : String(error));
      }
    },
  };
}

/** A daemon's own account may list some things of which it may not get one. */
async function listed(client: KubeClient, resource: Resource, namespace: string | undefined, name: string): Promise<Found> {
  try {
    const query = { fieldSelector: `metadata.name=${name}` };
    const answer = await client.call({ method: "GET", path: pathOf(resource, namespace), query });
    const [object] = z.object({ items: z.array(objectSchema) }).parse(answer).items;
    return object === undefined ? { kind: "absent" } : { kind: "found", object };
  } catch (error) {
    return { kind: "unknown", why: error instanceof Error ? error.message : String(error) };
  }
}
