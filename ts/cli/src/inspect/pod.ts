import { type Reader, resources } from "./api.ts";
import { missing } from "./cluster.ts";
import { type Fact, section } from "./fact.ts";

const prefix = "k8s.aliyun.com/";

/** In the order in which they win. */
const sources = [
  ["pod-networks", "the networks that stand in it"],
  ["pod-networks-request", "the PodNetworkings that it names"],
  ["pod-networking", "this PodNetworking"],
] as const;

/** How a pod gets its network; undefined when there is no such pod. */
export async function inspectPod(reader: Reader, namespace: string, name: string): Promise<Fact[] | undefined> {
  const [found, podEni] = await Promise.all([reader.find(resources.pod, namespace, name), reader.find(resources.podEni, namespace, name)]);
  if (found.kind === "absent") return undefined;
  const fact = section(`Pod ${namespace}/${name}`);
  if (found.kind !== "found") return [fact("spec", undefined, missing(found, `pod ${namespace}/${name}`))];
  const { metadata, spec = {} } = found.object;
  const hostNetwork = spec.hostNetwork === true;
  const ignored = metadata.labels[`${prefix}ignore-by-terway`] === "true";
  const own = metadata.annotations[`${prefix}pod-eni`] === "true";
  const present = sources.filter(([key]) => metadata.annotations[prefix + key] !== undefined);
  const [first] = present;
  const source = first === undefined ? "eni-config" : prefix + first[0];
  return [
    fact("node", typeof spec.nodeName === "string" ? spec.nodeName : undefined),
    fact("hostNetwork", hostNetwork, hostNetwork ? "Terway does nothing for this pod" : undefined),
    fact("ignored by Terway", ignored),
    fact("pod-eni", own, own ? "an ENI of its own: trunk member or exclusive" : "an address of a shared ENI"),
    ...sources.map(([key]) => fact(key, metadata.annotations[prefix + key])),
    fact("configuration from", source, first === undefined ? "the defaults, on eth0" : first[1]),
    ...(present.length > 1 ? [fact("conflict", present.map(([key]) => key).join(", "), `only ${source} counts`)] : []),
    ...(!own && first !== undefined
      ? [fact("conflict", "pod-eni", "networks are named, but pod-eni is not true: they have no effect")]
      : []),
    ...(podEni.kind === "found"
      ? [fact("PodENI", phaseOf(podEni.object.status))]
      : own
        ? [fact("PodENI", undefined, missing(podEni, `PodENI ${namespace}/${name}`))]
        : []),
    fact("pod-ips", metadata.annotations[`${prefix}pod-ips`]),
  ];
}

function phaseOf(status: Readonly<Record<string, unknown>> | undefined): string {
  return typeof status?.phase === "string" && status.phase !== "" ? status.phase : "no phase yet";
}
