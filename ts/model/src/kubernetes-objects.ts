import { z } from "zod";

const strings = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

/** What this product reads of a Pod; the API has much more. */
export const podObjectSchema = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("Pod"),
  metadata: z.object({
    namespace: z.string().min(1),
    name: z.string().min(1),
    uid: z.string().optional(),
    labels: strings,
    annotations: strings,
  }),
  spec: z.object({ nodeName: z.string().optional(), hostNetwork: z.boolean().optional() }).optional(),
});
export type PodObject = z.infer<typeof podObjectSchema>;

export const nodeObjectSchema = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("Node"),
  metadata: z.object({ name: z.string().min(1), labels: strings, annotations: strings }),
});
export type NodeObject = z.infer<typeof nodeObjectSchema>;

export const namespaceObjectSchema = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("Namespace"),
  metadata: z.object({ name: z.string().min(1), labels: strings, annotations: strings }),
});
export type NamespaceObject = z.infer<typeof namespaceObjectSchema>;
