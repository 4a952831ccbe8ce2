import type { Eni } from "@terway/model";

/** Names by which this control plane, Terway's and the daemon know what belongs together. */
export const podUidAnnotation = "k8s.aliyun.com/pod-uid";
/** Ours: what is being created, written before the cloud is called. */
export const intentAnnotation = "terway.aliyun.com/intent";
/** Ours, on a node: the trunk ENI that is being made for it. */
export const trunkIntentAnnotation = "terway.aliyun.com/trunk-intent";
/** Ours, on a NetworkInterface: the limit at the cloud that keeps it from its node. */
export const limitAnnotation = "terway.aliyun.com/limit";
/** Ours, on a NetworkInterface: made before any pod asked for it. It stays when a pod takes it. */
export const warmAnnotation = "terway.aliyun.com/warm";
/** Ours, on a NetworkInterface: its ENI vanished at the cloud before it was attached. */
export const lostAnnotation = "terway.aliyun.com/lost";
/** Ours, on a pod: why it has a shared address instead of an ENI of its own. */
export const fallbackAnnotation = "terway.aliyun.com/fallback";
/** Ours, a condition of nodes: the control plane does less at the cloud than it would. The node's own daemon has another, `CloudDegraded`. */
export const degradedCondition = "ControlPlaneDegraded";
export const trunkOnAnnotation = "k8s.aliyun.com/trunk-on";
export const relatedNodeLabel = "k8s.aliyun.com/node";
export const ignoreLabel = "k8s.aliyun.com/ignore-by-terway";
export const podEniFinalizer = "network.alibabacloud.com/pod-eni";
/** Of releases of upstream long gone. */
export const oldPodEniFinalizer = "pod-eni";
export const eniFinalizer = "network.alibabacloud.com/eni";

/** Tags of every ENI that is made for a pod. */
export const eniTags = (clusterId: string) => ({ creator: "terway-controller", "ack.aliyun.com": clusterId });

/** Why an ENI is not to be touched for a pod, whatever an object says; undefined when it was made for one, by us or by Terway. */
export function whyForeign({ type, tags }: Pick<Eni, "type" | "tags">, clusterId: string): string | undefined {
  if (type === "Primary" || type === "Trunk") return `it is the ${type.toLowerCase()} ENI of an instance`;
  const { creator, "ack.aliyun.com": cluster } = eniTags(clusterId);
  if (tags.creator !== creator) return `it has not tag creator=${creator}, which ENIs of pods have`;
  const owner = tags["ack.aliyun.com"];
  return owner === undefined || owner === cluster ? undefined : `its tag ack.aliyun.com says that it is of cluster ${owner}`;
}
