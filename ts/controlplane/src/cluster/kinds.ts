import type { Resource, Stored } from "@terway/kube";
import {
  type ConfigMap,
  configMapSchema,
  type NodeResource,
  type NodeRuntime,
  namespaceObjectSchema,
  networkInterfaceSchema,
  nodeResourceSchema,
  nodeRuntimeSchema,
  podEniSchema,
  podNetworkingSchema,
  podObjectSchema,
} from "@terway/model";
import { z } from "zod";
import { degradedCondition } from "./marks.ts";

/** A kind of object, and what this process keeps of one. */
export interface Kind<T extends Stored> {
  readonly resource: Resource;
  /** Undefined: of no interest. Throws what is wrong with an object that cannot be read. */
  readonly prune: (object: unknown) => T | undefined;
}

const group = "network.alibabacloud.com/v1beta1";
const core = (plural: string, kind: string, namespaced: boolean): Resource => ({ apiVersion: "v1", plural, kind, namespaced });
const own = (plural: string, kind: string, namespaced: boolean): Resource => ({ apiVersion: group, plural, kind, namespaced });

/** A pod on the node's own network is nobody's business here. */
export const pods = {
  resource: core("pods", "Pod", true),
  prune: (object: unknown) => {
    const pod = podObjectSchema.parse(object);
    return pod.spec?.hostNetwork === true ? undefined : pod;
  },
};

const annotations = z
  .record(z.string(), z.string())
  .nullish()
  .transform((all) => Object.fromEntries(Object.entries(all ?? {}).filter(([name]) => /^(k8s|terway)\.aliyun\.com\//.test(name))));
/** Of a node's conditions the one that is written here. */
const ownConditions = z
  .array(z.object({ type: z.string(), status: z.string(), reason: z.string().default(""), lastTransitionTime: z.string().nullish() }))
  .nullish()
  .transform((all) => (all ?? []).filter(({ type }) => type === degradedCondition));
const clusterNodeSchema = z.object({
  metadata: z.object({
    name: z.string().min(1),
    uid: z.string().default(""),
    resourceVersion: z.string().default(""),
    labels: z
      .record(z.string(), z.string())
      .nullish()
      .transform((value) => value ?? {}),
    annotations,
  }),
  spec: z
    .object({
      /** `region.instance`, as the cloud's own controller writes it. */
      providerID: z.string().optional(),
      taints: z.array(z.object({ key: z.string(), effect: z.string().optional() })).nullish(),
    })
    .optional(),
  status: z.object({ conditions: ownConditions }).optional(),
});
/** A node of Kubernetes, as far as ENIs of pods are concerned. */
export type ClusterNode = z.infer<typeof clusterNodeSchema>;

export const nodes = { resource: core("nodes", "Node", false), prune: (object: unknown) => clusterNodeSchema.parse(object) };
export const namespaces = {
  resource: core("namespaces", "Namespace", false),
  prune: (object: unknown) => namespaceObjectSchema.parse(object),
};
/** Those that hold an `eni_conf`; the others of the namespace are nobody's business here. */
export const configMaps = {
  resource: core("configmaps", "ConfigMap", true),
  prune: (object: unknown): ConfigMap | undefined => {
    const { data, metadata } = configMapSchema.parse(object);
    const { eni_conf: text } = data;
    return text === undefined ? undefined : { metadata, data: { eni_conf: text } };
  },
};
export const podEnis = { resource: own("podenis", "PodENI", true), prune: (object: unknown) => podEniSchema.parse(object) };
export const networkInterfaces = {
  resource: own("networkinterfaces", "NetworkInterface", false),
  prune: (object: unknown) => networkInterfaceSchema.parse(object),
};
const nodeSpecSchema = nodeResourceSchema.pick({ metadata: true, spec: true });

/** Metadata that an object of the cluster has. */
interface ClusterMeta {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** A Node of our group as it is kept: its status is what this process writes, and need not be read. */
export type NodeSpecObject = Pick<NodeResource, "spec"> & {
  readonly metadata: ClusterMeta & Pick<NodeResource["metadata"], "deletionTimestamp">;
};

export const nodeResources = {
  resource: own("nodes", "Node", false),
  prune: (object: unknown): NodeSpecObject => {
    const { metadata, spec } = nodeSpecSchema.parse(object);
    const { name, uid = "", resourceVersion = "", deletionTimestamp } = metadata;
    return {
      metadata: { name, uid, resourceVersion, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
      ...(spec === undefined ? {} : { spec }),
    };
  },
};

export type NodeRuntimeObject = Pick<NodeRuntime, "status"> & { readonly metadata: ClusterMeta };

export const nodeRuntimes = {
  resource: own("noderuntimes", "NodeRuntime", false),
  prune: (object: unknown): NodeRuntimeObject => {
    const { metadata, status } = nodeRuntimeSchema.parse(object);
    const { name, uid = "", resourceVersion = "" } = metadata;
    return { metadata: { name, uid, resourceVersion }, ...(status === undefined ? {} : { status }) };
  },
};
export const podNetworkings = {
  resource: own("podnetworkings", "PodNetworking", false),
  prune: (object: unknown) => podNetworkingSchema.parse(object),
};
