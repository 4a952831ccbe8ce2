import type { Resource, Stored } from "@terway/kube";
import {
  configMapSchema,
  type NodeResource,
  type NodeRuntime,
  nodeObjectSchema,
  nodeResourceSchema,
  nodeRuntimeSchema,
  podEniSchema,
  podObjectSchema,
} from "@terway/model";
import type { z } from "zod";
import type { Kind } from "./cluster.ts";

/** A kind that is kept as its schema reads it. */
export function kindOf<T extends Stored>(resource: Resource, schema: z.ZodType<T>): Kind<T> {
  return { resource, prune: (object) => schema.parse(object) };
}

export const pods = kindOf({ apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true }, podObjectSchema);
export const nodes = kindOf({ apiVersion: "v1", plural: "nodes", kind: "Node", namespaced: false }, nodeObjectSchema);
export const configMaps = kindOf({ apiVersion: "v1", plural: "configmaps", kind: "ConfigMap", namespaced: true }, configMapSchema);
export const podEnis = kindOf(
  { apiVersion: "network.alibabacloud.com/v1beta1", plural: "podenis", kind: "PodENI", namespaced: true },
  podEniSchema,
);

/** Metadata that an object of an API server has. */
interface ApiMeta {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}
const apiMeta = ({ name, uid = "", resourceVersion = "" }: NodeResource["metadata"]): ApiMeta => ({ name, uid, resourceVersion });
const ofGroup = (plural: string, kind: string): Resource => ({
  apiVersion: "network.alibabacloud.com/v1beta1",
  plural,
  kind,
  namespaced: false,
});

/** A Node of centralized IPAM. */
export type NodeResourceObject = Pick<NodeResource, "spec" | "status"> & { readonly metadata: ApiMeta };
export const nodeResources: Kind<NodeResourceObject> = {
  resource: ofGroup("nodes", "Node"),
  prune: (object) => {
    const { metadata, spec, status } = nodeResourceSchema.parse(object);
    return { metadata: apiMeta(metadata), ...(spec === undefined ? {} : { spec }), ...(status === undefined ? {} : { status }) };
  },
};

export type NodeRuntimeObject = Pick<NodeRuntime, "status"> & { readonly metadata: ApiMeta };
export const nodeRuntimes: Kind<NodeRuntimeObject> = {
  resource: ofGroup("noderuntimes", "NodeRuntime"),
  prune: (object) => {
    const { metadata, status } = nodeRuntimeSchema.parse(object);
    return { metadata: apiMeta(metadata), ...(status === undefined ? {} : { status }) };
  },
};

/** What hinders to read an object, for the log. */
export function describeUnreadable(error: unknown): string {
  const issues =
    error instanceof Error && "issues" in error && Array.isArray(error.issues) ? (error.issues as z.core.$ZodIssue[]) : undefined;
  return issues?.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ") ?? String(error);
}
