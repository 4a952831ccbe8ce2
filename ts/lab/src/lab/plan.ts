import { z } from "zod";
import { groupPlanSchema } from "./make-groups.ts";

const machineSchema = z.object({
  /** Host name; names the namespace, too. */
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/),
  instanceType: z.string(),
  /** Name of a vSwitch of the plan. */
  vSwitch: z.string(),
  /** Names of security groups of the plan, for the primary ENI; default: the first. */
  groups: z.array(z.string()).min(1).optional(),
});

/** What a lab shall consist of. The server reads it from `plan.json` in the lab's directory and makes it. */
export const planSchema = z.object({
  regionId: z.string(),
  cidr: z.string(),
  /** /56, of which each vSwitch gets a /64. */
  ipv6Cidr: z.string(),
  /** Those of machines have both families; for their pods' ENIs there may be others, some without IPv6. */
  vSwitches: z.array(z.object({ name: z.string(), zoneId: z.string(), cidr: z.string(), ipv6Cidr: z.string().optional() })).min(1),
  /** Security groups by name; default: one, `default`, whose members talk. */
  groups: z.record(z.string(), groupPlanSchema).optional(),
  /** False: groups are not enforced and the VPC tracks no connections, for measurements of what lies around it. */
  securityGroups: z.boolean().optional(),
  /** Machines that become nodes with a container runtime. */
  nodes: z.array(machineSchema).min(1),
  /** A machine outside the cluster, in the same VPC. */
  elsewhere: machineSchema.optional(),
  /** How long the cloud's operations take: a profile of the simulator. */
  delays: z.enum(["instant", "fast", "realistic"]),
  seed: z.number().int(),
});
export type LabPlan = z.infer<typeof planSchema>;

/** Two nodes in two zones, each with a vSwitch of its own, and one host elsewhere in the VPC. */
export function defaultPlan(): LabPlan {
  const type = "ecs.g7.xlarge";
  return {
    regionId: "cn-hangzhou",
    cidr: "10.0.0.0/16",
    ipv6Cidr: "fd00:0:0:100::/56",
    vSwitches: [
      { name: "a", zoneId: "cn-hangzhou-h", cidr: "10.0.1.0/24", ipv6Cidr: "fd00:0:0:101::/64" },
      { name: "b", zoneId: "cn-hangzhou-i", cidr: "10.0.2.0/24", ipv6Cidr: "fd00:0:0:102::/64" },
      { name: "elsewhere", zoneId: "cn-hangzhou-i", cidr: "10.0.9.0/24", ipv6Cidr: "fd00:0:0:109::/64" },
    ],
    nodes: [
      { name: "node-a", instanceType: type, vSwitch: "a" },
      { name: "node-b", instanceType: type, vSwitch: "b" },
    ],
    elsewhere: { name: "elsewhere", instanceType: type, vSwitch: "elsewhere" },
    delays: "fast",
    seed: 1,
  };
}
