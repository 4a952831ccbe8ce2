import { z } from "zod";

const strings = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const text = z.string().default("");

/** Of the annotations only those that somebody here reads; a `last-applied-configuration` alone may be a quarter of a megabyte. */
const ourAnnotations = strings.transform((all) =>
  Object.fromEntries(
    Object.entries(all).filter(([name]) => /^(k8s|terway)\.aliyun\.com\/|^alibabacloud\.com\/|^kubernetes\.io\/config\./.test(name)),
  ),
);

/** `uid` and `resourceVersion` are empty where no API server gave them. */
const meta = { name: z.string().min(1), uid: text, resourceVersion: text };
const namespaced = { ...meta, namespace: z.string().min(1) };

/** What this product reads of a Pod; the API has much more. */
export const podObjectSchema = z.object({
  metadata: z.object({
    ...namespaced,
    labels: strings,
    annotations: ourAnnotations,
    deletionTimestamp: z.string().optional(),
    ownerReferences: z.array(z.object({ kind: z.string(), name: z.string(), controller: z.boolean().optional() })).default([]),
  }),
  spec: z.object({ nodeName: z.string().optional(), hostNetwork: z.boolean().optional() }).optional(),
  status: z
    .object({ phase: z.string().optional(), reason: z.string().optional(), podIPs: z.array(z.object({ ip: z.string() })).nullish() })
    .optional(),
});
export type PodObject = z.infer<typeof podObjectSchema>;

const conditionSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: text,
  message: text,
  lastHeartbeatTime: z.string().nullish(),
  lastTransitionTime: z.string().nullish(),
});
export type NodeCondition = z.infer<typeof conditionSchema>;

export const nodeObjectSchema = z.object({
  metadata: z.object({ ...meta, labels: strings, annotations: ourAnnotations }),
  status: z.object({ conditions: z.array(conditionSchema).nullish() }).optional(),
});
export type NodeObject = z.infer<typeof nodeObjectSchema>;

export const namespaceObjectSchema = z.object({ metadata: z.object({ ...meta, labels: strings, annotations: ourAnnotations }) });
export type NamespaceObject = z.infer<typeof namespaceObjectSchema>;

export const configMapSchema = z.object({ metadata: z.object(namespaced), data: strings });
export type ConfigMap = z.infer<typeof configMapSchema>;
