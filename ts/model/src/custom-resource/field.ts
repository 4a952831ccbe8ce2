import { z } from "zod";

export const text = z.string().optional();
export const flag = z.boolean().optional();
export const integer = z.int().optional();
export const strings = z.array(z.string()).optional();
export const labels = z.record(z.string(), z.string()).optional();

/** RFC 3339, as the API writes times. */
export const time = z.string().optional().meta({ format: "date-time" });

/** Key of {@link optionalInApi} in a schema's metadata; it does not get into what is generated. */
export const optionalMark = "terwayOptional";

/** What our reader insists on although the API lets it be absent: the object is then reported and not used. */
export function optionalInApi<T extends z.ZodType>(schema: T): T {
  return schema.meta({ [optionalMark]: true });
}

/** Key of {@link openInApi}. */
export const openMark = "terwayOpen";

/** A closed set for our reader, any text for the API server: upstream's definitions list these values nowhere, and may gain some. */
export function openInApi<T extends z.ZodType>(schema: T): T {
  return schema.meta({ [openMark]: true });
}

/** Metadata as far as it is read; in the definition the API server's own rules hold. */
export const clusterMetadata = z.object({
  name: z.string().min(1),
  resourceVersion: z.string().default(""),
  uid: z.string().default(""),
  labels,
  annotations: labels,
  finalizers: strings,
  deletionTimestamp: z.string().optional(),
});

export const apiGroup = "network.alibabacloud.com";

/** Of core/v1; all that a label selector can say. */
export const labelSelectorSchema = z
  .object({
    matchLabels: labels,
    matchExpressions: z
      .array(z.object({ key: z.string(), operator: z.string(), values: strings.meta({ "x-kubernetes-list-type": "atomic" }) }))
      .optional()
      .meta({ "x-kubernetes-list-type": "atomic" }),
  })
  .meta({ "x-kubernetes-map-type": "atomic" });

/** Of core/v1. */
export const objectReferenceSchema = z
  .object({ apiVersion: text, fieldPath: text, kind: text, name: text, namespace: text, resourceVersion: text, uid: text })
  .meta({ "x-kubernetes-map-type": "atomic" });
