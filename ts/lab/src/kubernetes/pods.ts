import { type KubeClient, pathOf, type Resource } from "@terway/kube";
import { z } from "zod";
import { agentImage } from "../node/containerd.ts";
import { until } from "../node/until.ts";

const podResource: Resource = { apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true };
const podSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
  spec: z.object({ nodeName: z.string().optional() }),
  status: z.object({
    phase: z.string().optional(),
    podIPs: z.array(z.object({ ip: z.string() })).default([]),
    conditions: z.array(z.object({ type: z.string(), status: z.string(), lastTransitionTime: z.string().nullish() })).default([]),
  }),
});
const podListSchema = z.object({ items: z.array(podSchema) });

/** A Pod, as far as tests look at it. */
export type PodObject = z.infer<typeof podSchema>;

export interface PodWish {
  readonly namespace: string;
  readonly name: string;
  /** Bound to it without the scheduler; absent: the scheduler chooses. */
  readonly nodeName?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** The spec of the lab's own pod: one container with `lab-agent serve`. */
export function agentPodSpec(): object {
  return {
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    containers: [{ name: "agent", image: agentImage, imagePullPolicy: "Never" }],
  };
}

export function createPod(client: KubeClient, { namespace, name, nodeName, labels = {} }: PodWish): Promise<unknown> {
  const spec = { ...agentPodSpec(), ...(nodeName === undefined ? {} : { nodeName }) };
  const body = { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec };
  return client.call({ method: "POST", path: pathOf(podResource, namespace), body });
}

export function deletePod(client: KubeClient, namespace: string, name: string, graceSeconds?: number): Promise<unknown> {
  const body = { apiVersion: "v1", kind: "DeleteOptions", ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }) };
  return client.call({ method: "DELETE", path: pathOf(podResource, namespace, name), body });
}

export async function listPods(client: KubeClient, namespace: string): Promise<PodObject[]> {
  return podListSchema.parse(await client.call({ method: "GET", path: pathOf(podResource, namespace) })).items;
}

export function isReady({ status }: PodObject): boolean {
  return status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True");
}

/** Until the namespace has this many pods, all of them Ready; answers them by name. */
export async function podsReady(client: KubeClient, namespace: string, count: number, timeoutMs: number): Promise<PodObject[]> {
  let seen: PodObject[] = [];
  try {
    await until(`${count} pods of ${namespace} are Ready`, timeoutMs, async () => {
      seen = await listPods(client, namespace);
      return seen.length === count && seen.every(isReady);
    });
  } catch (error) {
    const waiting = seen.filter((pod) => !isReady(pod)).map(({ metadata, status }) => `${metadata.name} ${status.phase}`);
    throw new Error(`of ${seen.length} pods of ${namespace} these are not Ready: ${waiting.join(", ")}`, { cause: error });
  }
  return seen.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));
}

/** Until the namespace has no pods. */
export async function podsGone(client: KubeClient, namespace: string, timeoutMs: number): Promise<void> {
  await until(`the pods of ${namespace} are gone`, timeoutMs, async () => (await listPods(client, namespace)).length === 0);
}
