import { z } from "zod";
import { addressShape, eniInfoSchema, eniShape, phaseSchema } from "./eni.ts";
import { clusterMetadata, flag, integer, objectReferenceSchema, text } from "./field.ts";

/** A NetworkInterface of `network.alibabacloud.com/v1beta1`: one ENI of a pod. It has the ENI's id as its name. */
export const networkInterfaceSchema = z.object({
  metadata: clusterMetadata,
  spec: z
    .object({
      eni: z.object(eniShape).optional(),
      ...addressShape,
      extraConfig: z.record(z.string(), z.string()).optional(),
      managePolicy: z.object({ cache: flag, unManaged: flag }).optional(),
      podENIRef: objectReferenceSchema.optional().meta({ description: "The pod (kind Pod, namespace, name) that uses the ENI." }),
    })
    .optional(),
  status: z
    .object({
      phase: phaseSchema,
      eniInfo: eniInfoSchema,
      instanceID: text,
      trunkENIID: text,
      networkCardIndex: integer,
      nodeName: text,
    })
    .optional(),
});
export type NetworkInterface = z.infer<typeof networkInterfaceSchema>;
