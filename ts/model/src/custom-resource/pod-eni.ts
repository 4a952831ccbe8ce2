import { z } from "zod";
import { parseCidr } from "../address.ts";
import { addressShape, allocationTypeShape, eniInfoSchema, eniShape, phaseSchema } from "./eni.ts";
import { clusterMetadata, optionalInApi, text, time } from "./field.ts";

/** One interface of a pod and the ENI behind it. Field for field upstream's `spec.allocations[]`. */
const allocationSchema = z.object({
  allocationType: z.object(allocationTypeShape).optional(),
  eni: optionalInApi(z.object(eniShape)),
  ...addressShape,
  interface: z.string().max(15).optional().meta({ description: "Name in the pod; eth0 when empty." }),
  defaultRoute: z.boolean().optional(),
  extraRoutes: z
    .array(z.object({ dst: optionalInApi(z.string().refine((value) => parseCidr(value) !== undefined, "must be a CIDR")) }))
    .optional(),
  extraConfig: z.record(z.string(), z.string()).optional(),
});
export type PodEniAllocation = z.infer<typeof allocationSchema>;

/** A PodENI of `network.alibabacloud.com/v1beta1`: the ENIs that the control plane has given to one pod. It has the pod's namespace and name. */
export const podEniSchema = z.object({
  metadata: clusterMetadata.extend({ namespace: z.string().min(1) }),
  spec: optionalInApi(z.object({ allocations: z.array(allocationSchema).optional(), zone: text })),
  status: z
    .object({
      phase: phaseSchema.optional(),
      instanceID: text,
      trunkENIID: text,
      msg: text,
      podLastSeen: time.meta({ description: "When the pod was last there; TTL counts from it." }),
      eniInfos: z.record(z.string(), eniInfoSchema).optional(),
    })
    .optional(),
});
export type PodEni = z.infer<typeof podEniSchema>;
