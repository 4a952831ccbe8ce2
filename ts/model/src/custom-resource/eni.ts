import { z } from "zod";
import { canonicalAddress, parseCidr } from "../address.ts";
import { openInApi, optionalInApi, text } from "./field.ts";

/** Pieces that several resources have in common: an ENI, the addresses on it, and what happens to it when its pod goes. */

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

export const allocationTypeShape = {
  type: z
    .enum(["Elastic", "Fixed"])
    .optional()
    .meta({ default: "Elastic", description: "Fixed: the pod's successor gets the same ENI and addresses." }),
  releaseStrategy: z.enum(["TTL", "Never"]).optional().meta({ description: "When a fixed ENI whose pod is gone is released." }),
  releaseAfter: text.meta({ description: "With TTL: how long it is kept, as a Go duration." }),
};

export const eniShape = {
  id: optionalInApi(z.string().min(1)),
  vpcID: text,
  mac,
  zone: text,
  vSwitchID: text,
  resourceGroupID: text,
  securityGroupIDs: z.array(z.string()).optional(),
  attachmentOptions: z.object({ trunk: z.boolean().optional() }).optional(),
};

export const addressShape = { ipv4: address("ipv4"), ipv6: address("ipv6"), ipv4CIDR: cidr, ipv6CIDR: cidr };

export const eniInfoSchema = z.object({
  id: text,
  type: z.enum(["Secondary", "Trunk", "Primary", "Member"]).optional(),
  vid: z.int().min(0).max(4094).optional().meta({ description: "VLAN id of a member on its trunk." }),
  status: openInApi(z.enum(["Bind", "Unbind", "Deleted"])).optional(),
  networkCardIndex: z.int().optional(),
  vfID: z.int().min(0).optional(),
});

export const phaseSchema = openInApi(z.enum(["", "Bind", "Binding", "Unbind", "Detaching", "Deleting"]));
