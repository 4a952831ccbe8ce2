import type { PodEni } from "@terway/model";
import { z } from "zod";
import { intentAnnotation } from "../cluster/marks.ts";
import { allocationTypeSchema } from "../network/annotations.ts";

const wantedEniSchema = z.object({
  ifName: z.string(),
  vSwitchId: z.string(),
  /** Candidates that are left when this vSwitch has no address. */
  vSwitchIds: z.array(z.string()),
  selection: z.enum(["ordered", "random", "most"]),
  securityGroupIds: z.array(z.string()),
  /** A member of the node's trunk, or a whole ENI. */
  trunk: z.boolean(),
  ipv6: z.boolean(),
  resourceGroupId: z.string().optional(),
  trafficMode: z.enum(["Standard", "HighPerformance"]).optional(),
  defaultRoute: z.boolean().optional(),
  extraRoutes: z.array(z.string()),
  allocation: allocationTypeSchema,
  primaryIpv4: z.string().optional(),
  /** The cloud makes one ENI for it, however often it is asked, and whoever asks. */
  token: z.string(),
});
export type WantedEni = z.infer<typeof wantedEniSchema>;

const intentSchema = z.object({ enis: z.array(wantedEniSchema) });

/** What shall be created for a PodENI that has no allocations yet; undefined when it says nothing (any more). */
export function intentOf(podEni: PodEni): readonly WantedEni[] | undefined {
  const text = podEni.metadata.annotations?.[intentAnnotation];
  if (!text) return undefined;
  try {
    const parsed = intentSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.enis : undefined;
  } catch {
    return undefined;
  }
}

export function intentText(enis: readonly WantedEni[]): string {
  return JSON.stringify({ enis });
}
