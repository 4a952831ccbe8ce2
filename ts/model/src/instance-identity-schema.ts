import { z } from "zod";
import type { InstanceIdentity } from "./cloud.ts";

/** Which instance a node is, as it stands in a file of the node and in the admin protocol. */
export const instanceIdentitySchema = z.object({
  instanceId: z.string(),
  instanceType: z.string(),
  regionId: z.string(),
  zoneId: z.string(),
  vpcId: z.string(),
  vSwitchId: z.string(),
  primaryMac: z.string(),
}) satisfies z.ZodType<InstanceIdentity>;
