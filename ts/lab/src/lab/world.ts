import { z } from "zod";

const machineSchema = z.object({
  name: z.string(),
  instanceId: z.string(),
  instanceType: z.string(),
  zoneId: z.string(),
  vSwitchId: z.string(),
  /** Path of the machine's network namespace. */
  netns: z.string(),
  primary: z.object({
    eniId: z.string(),
    mac: z.string(),
    ipv4: z.string(),
    ipv4PrefixLength: z.number(),
    ipv4Gateway: z.string(),
    ipv6: z.string(),
    ipv6PrefixLength: z.number(),
    ipv6Gateway: z.string(),
  }),
});
export type Machine = z.infer<typeof machineSchema>;

/** What the server has made of the plan; it writes `world.json` when everything is there. */
export const worldSchema = z.object({
  regionId: z.string(),
  vpcId: z.string(),
  /** The first of the plan's. */
  securityGroupId: z.string(),
  /** Ids by the plan's names. */
  groups: z.record(z.string(), z.string()),
  vSwitches: z.record(z.string(), z.object({ id: z.string(), zoneId: z.string(), cidr: z.string(), ipv6Cidr: z.string().optional() })),
  accessKeyId: z.string(),
  accessKeySecret: z.string(),
  nodes: z.array(machineSchema),
  elsewhere: machineSchema.optional(),
});
export type World = z.infer<typeof worldSchema>;
