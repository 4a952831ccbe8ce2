import { z } from "zod";
import { familyAddressSchema } from "./family-address-schema.ts";
import type { Lease } from "./lease.ts";

/** A lease as it stands in a file of the node. */
export const leaseSchema = z.object({
  id: z.string(),
  generation: z.number().int().nonnegative(),
  state: z.enum(["intent", "bound", "releasing"]),
  sandbox: z.object({
    containerId: z.string(),
    ifName: z.string(),
    netns: z.string(),
    podNamespace: z.string(),
    podName: z.string(),
    podUid: z.string().exactOptional(),
  }),
  eniId: z.string(),
  eniMac: z.string(),
  ipv4: familyAddressSchema.exactOptional(),
  ipv6: familyAddressSchema.exactOptional(),
  exclusive: z.literal(true).exactOptional(),
  allocatedAtMs: z.number(),
  keepMs: z.number().exactOptional(),
  payload: z.unknown().exactOptional(),
}) satisfies z.ZodType<Lease>;
