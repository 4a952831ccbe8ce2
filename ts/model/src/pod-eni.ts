import { z } from "zod";
import { canonicalAddress, parseCidr } from "./address.ts";

const text = z.string().optional();
const address = (family: "ipv4" | "ipv6") =>
  z
    .string()
    .refine(
      (value) => value === "" || (canonicalAddress(value) !== undefined && value.includes(":") === (family === "ipv6")),
      `must be an ${family === "ipv4" ? "IPv4" : "IPv6"} address`,
    )
    .optional();
const cidr = z
  .string()
  .refine((value) => value === "" || parseCidr(value) !== undefined, "must be a CIDR")
  .optional();
const mac = z
  .string()
  .regex(/^$|^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i, "must be a MAC address")
  .optional();

/** One interface of a pod and the ENI behind it. Field for field upstream's `spec.allocations[]`. */
const allocationSchema = z.object({
  allocationType: z
    .object({ type: z.enum(["Elastic", "Fixed"]).optional(), releaseStrategy: z.enum(["TTL", "Never"]).optional(), releaseAfter: text })
    .optional(),
  eni: z.object({
    id: z.string().min(1),
    vpcID: text,
    mac,
    zone: text,
    vSwitchID: text,
    resourceGroupID: text,
    securityGroupIDs: z.array(z.string()).optional(),
    attachmentOptions: z.object({ trunk: z.boolean().optional() }).optional(),
  }),
  ipv4: address("ipv4"),
  ipv6: address("ipv6"),
  ipv4CIDR: cidr,
  ipv6CIDR: cidr,
  /** Name in the pod; `eth0` when empty. */
  interface: z.string().max(15).optional(),
  defaultRoute: z.boolean().optional(),
  extraRoutes: z.array(z.object({ dst: z.string().refine((value) => parseCidr(value) !== undefined, "must be a CIDR") })).optional(),
  extraConfig: z.record(z.string(), z.string()).optional(),
});
export type PodEniAllocation = z.infer<typeof allocationSchema>;

const eniInfoSchema = z.object({
  id: text,
  type: z.enum(["Secondary", "Trunk", "Primary", "Member"]).optional(),
  vid: z.int().min(0).max(4094).optional(),
  status: z.enum(["Bind", "Unbind", "Deleted"]).optional(),
  networkCardIndex: z.int().optional(),
  vfID: z.int().min(0).optional(),
});

/** A PodENI of `network.alibabacloud.com/v1beta1`: the ENIs that the control plane has given to one pod. It has the pod's namespace and name. */
export const podEniSchema = z.object({
  metadata: z.object({
    namespace: z.string().min(1),
    name: z.string().min(1),
    uid: z.string().default(""),
    resourceVersion: z.string().default(""),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.object({ allocations: z.array(allocationSchema).optional(), zone: text }),
  status: z
    .object({
      phase: z.enum(["", "Bind", "Binding", "Unbind", "Detaching", "Deleting"]).optional(),
      instanceID: text,
      trunkENIID: text,
      msg: text,
      podLastSeen: text,
      eniInfos: z.record(z.string(), eniInfoSchema).optional(),
    })
    .optional(),
});
export type PodEni = z.infer<typeof podEniSchema>;
