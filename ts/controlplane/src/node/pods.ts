import type { PodObject } from "@terway/model";
import type { AddressPod } from "./demand.ts";

/** The pods of a node that get their addresses from its shared ENIs. */
export function addressPods(pods: readonly PodObject[]): AddressPod[] {
  return pods.flatMap((pod) => (wantsAddress(pod) ? [addressPod(pod)] : []));
}

export function wantsAddress({ metadata: { labels, annotations }, spec, status }: PodObject): boolean {
  if (spec?.nodeName === undefined || spec.hostNetwork) return false;
  if (labels["k8s.aliyun.com/ignore-by-terway"] === "true" || annotations["k8s.aliyun.com/pod-eni"] === "true") return false;
  return status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

function addressPod({ metadata: { namespace, name, uid }, status }: PodObject): AddressPod {
  const addresses = status?.podIPs?.map(({ ip }) => ip) ?? [];
  const ipv4 = addresses.find((ip) => ip.includes("."));
  const ipv6 = addresses.find((ip) => ip.includes(":"));
  return { namespace, name, uid, ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
}
