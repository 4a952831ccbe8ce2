import type { ConfigMap, NamespaceObject, NetworkInterface, PodEni, PodNetworking, PodObject } from "@terway/model";
import { Informer, type InformerParts } from "./informer.ts";
import {
  type ClusterNode,
  configMaps,
  type NodeRuntimeObject,
  type NodeSpecObject,
  namespaces,
  networkInterfaces,
  nodeResources,
  nodeRuntimes,
  nodes,
  podEnis,
  podNetworkings,
  pods,
} from "./kinds.ts";
import { relatedNodeLabel } from "./marks.ts";

/** What every replica keeps, so that one that begins to lead knows everything already. */
export interface Informers {
  /** Pods with a network of their own. Index `node`. */
  readonly pods: Informer<PodObject>;
  readonly nodes: Informer<ClusterNode>;
  readonly namespaces: Informer<NamespaceObject>;
  /** Of kube-system: `eni-config` and what stands for single nodes. */
  readonly configMaps: Informer<ConfigMap>;
  /** Indexes `eni`: ids of ENIs that they name; `ipv4`: addresses; `node`: where they shall be. */
  readonly podEnis: Informer<PodEni>;
  /** Indexes `pod`: `namespace/name` of the pod that it is for; `node`. */
  readonly networkInterfaces: Informer<NetworkInterface>;
  readonly podNetworkings: Informer<PodNetworking>;
  /** Nodes of our group, without their status. */
  readonly nodeResources: Informer<NodeSpecObject>;
  readonly nodeRuntimes: Informer<NodeRuntimeObject>;
}

export function startInformers(parts: InformerParts): Informers {
  const ofPod = ({ spec }: NetworkInterface) => (spec?.podENIRef?.name ? [`${spec.podENIRef.namespace ?? ""}/${spec.podENIRef.name}`] : []);
  const ofNode = ({ metadata: { labels } }: NetworkInterface | PodEni) => [labels?.[relatedNodeLabel] ?? ""].filter((one) => one !== "");
  return {
    pods: new Informer(parts, pods, { node: ({ spec }) => (spec?.nodeName ? [spec.nodeName] : []) }).start(),
    nodes: new Informer(parts, nodes).start(),
    namespaces: new Informer(parts, namespaces).start(),
    configMaps: new Informer(parts, configMaps, {}, "kube-system").start(),
    podEnis: new Informer(parts, podEnis, {
      eni: ({ spec }) => (spec.allocations ?? []).map(({ eni }) => eni.id),
      ipv4: ({ spec }) => (spec.allocations ?? []).flatMap(({ ipv4 }) => ipv4 ?? []),
      node: ofNode,
    }).start(),
    networkInterfaces: new Informer(parts, networkInterfaces, { pod: ofPod, node: ofNode }).start(),
    podNetworkings: new Informer(parts, podNetworkings).start(),
    nodeResources: new Informer(parts, nodeResources).start(),
    nodeRuntimes: new Informer(parts, nodeRuntimes).start(),
  };
}

export async function informersSynced(informers: Informers): Promise<void> {
  await Promise.all(Object.values(informers).map(({ synced }) => synced));
}

export async function stopInformers(informers: Informers): Promise<void> {
  await Promise.all(Object.values(informers).map((informer) => informer.stop()));
}
