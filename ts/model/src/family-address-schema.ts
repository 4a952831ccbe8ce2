import { z } from "zod";
import type { FamilyAddress } from "./attachment.ts";

/** An address as it stands in a file of the node. */
export const familyAddressSchema = z.object({
  address: z.string(),
  prefixLength: z.number(),
  gateway: z.string(),
}) satisfies z.ZodType<FamilyAddress>;
