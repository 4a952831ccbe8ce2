import { z } from "zod";
import { contains, knownCidr, overlaps, parseCidr } from "../ip.ts";
import type { SecurityGroup, Vpc, VSwitchRecord } from "../records.ts";
import { newSecurityGroup, putSecurityGroup } from "../security-groups.ts";
import { resourceId } from "../seeded-random.ts";
import { AdminError, adminCommand } from "./command.ts";

const cidr = z.string().refine((text) => parseCidr(text) !== undefined, "no CIDR, or bits set beyond its prefix");
export const tagsSchema = z.record(z.string(), z.string());

export const createVpc = adminCommand({
  name: "createVpc",
  about: "a VPC with an IPv4 and perhaps an IPv6 CIDR",
  schema: z.strictObject({ id: z.string().optional(), name: z.string().default(""), cidr, ipv6Cidr: cidr.optional() }),
  run(tx, { id = resourceId(tx.random, "vpc"), name, cidr, ipv6Cidr }): Vpc {
    if (tx.state.table("vpcs").has(id)) throw new AdminError(`${id} exists already`);
    const vpc: Vpc = {
      id,
      name,
      regionId: tx.state.settings.regionId,
      cidr,
      ...(ipv6Cidr === undefined ? {} : { ipv6Cidr }),
      createdMs: tx.nowMs,
    };
    tx.put("vpcs", id, vpc);
    return vpc;
  },
});

export const createVSwitch = adminCommand({
  name: "createVSwitch",
  about: "a vSwitch; the CIDRs must lie in those of the VPC and overlap no other",
  schema: z.strictObject({
    id: z.string().optional(),
    vpcId: z.string(),
    zoneId: z.string().default("cn-hangzhou-i"),
    name: z.string().default(""),
    cidr,
    ipv6Cidr: cidr.optional(),
    status: z.enum(["Pending", "Available"]).default("Available"),
    tags: tagsSchema.default({}),
  }),
  run(tx, { id = resourceId(tx.random, "vsw"), vpcId, zoneId, name, cidr, ipv6Cidr, status, tags }): VSwitchRecord {
    const vpc = tx.state.table("vpcs").get(vpcId);
    if (vpc === undefined) throw new AdminError(`there is no VPC ${vpcId}`);
    if (tx.state.vSwitches.has(id)) throw new AdminError(`${id} exists already`);
    const { prefixLength } = knownCidr(cidr);
    if (prefixLength < 16 || prefixLength > 29) throw new AdminError(`a vSwitch is a /16 to /29, not ${cidr}`);
    requireRoom(
      cidr,
      vpc.cidr,
      [...tx.state.vSwitches.values()].filter((other) => other.vpcId === vpcId).map((other) => other.cidr),
    );
    if (ipv6Cidr !== undefined) {
      if (vpc.ipv6Cidr === undefined) throw new AdminError(`${vpcId} has no IPv6 CIDR`);
      if (knownCidr(ipv6Cidr).prefixLength !== 64) throw new AdminError(`the IPv6 CIDR of a vSwitch is a /64, not ${ipv6Cidr}`);
      const others = [...tx.state.vSwitches.values()].flatMap((other) =>
        other.vpcId === vpcId && other.ipv6Cidr !== undefined ? [other.ipv6Cidr] : [],
      );
      requireRoom(ipv6Cidr, vpc.ipv6Cidr, others);
    }
    const vSwitch: VSwitchRecord = {
      id,
      vpcId,
      zoneId,
      name,
      status,
      cidr,
      ...(ipv6Cidr === undefined ? {} : { ipv6Cidr }),
      tags,
      createdMs: tx.nowMs,
    };
    tx.put("vSwitches", id, vSwitch);
    return vSwitch;
  },
});

function requireRoom(text: string, outer: string, others: readonly string[]): void {
  const wanted = knownCidr(text);
  const { family, base } = wanted;
  if (!contains(knownCidr(outer), family, base) || wanted.prefixLength < knownCidr(outer).prefixLength)
    throw new AdminError(`${text} is not inside ${outer}`);
  const clash = others.find((other) => overlaps(knownCidr(other), wanted));
  if (clash !== undefined) throw new AdminError(`${text} overlaps ${clash}`);
}

/** Changes what a vSwitch says of itself: its status, or a stale count of free addresses (null: the true one again). */
export const setVSwitch = adminCommand({
  name: "setVSwitch",
  about: "status, or a stale count of free addresses (`null`: the true one again)",
  recorded: true,
  schema: z.strictObject({
    id: z.string(),
    status: z.enum(["Pending", "Available"]).optional(),
    reportedFree: z.number().int().nullable().optional(),
  }),
  run(tx, { id, status, reportedFree }): VSwitchRecord {
    const vSwitch = tx.vSwitch(id);
    if (vSwitch === undefined) throw new AdminError(`there is no vSwitch ${id}`);
    const { reportedFree: before, ...rest } = vSwitch;
    const count = reportedFree === undefined ? before : (reportedFree ?? undefined);
    const changed = { ...rest, status: status ?? vSwitch.status, ...(count === undefined ? {} : { reportedFree: count }) };
    tx.put("vSwitches", id, changed);
    return changed;
  },
});

export const createSecurityGroup = adminCommand({
  name: "createSecurityGroup",
  about: "a security group; `capacity` defaults to 6,000 addresses (normal) or 65,536 ENIs (enterprise)",
  schema: z.strictObject({
    id: z.string().optional(),
    vpcId: z.string(),
    name: z.string().default(""),
    type: z.enum(["normal", "enterprise"]).default("normal"),
    /** Default: 6,000 addresses of a normal group, 65,536 ENIs of an enterprise group. */
    capacity: z.number().int().nonnegative().optional(),
    tags: tagsSchema.default({}),
  }),
  run(tx, { id = resourceId(tx.random, "sg"), vpcId, name, type, capacity, tags }): SecurityGroup {
    if (!tx.state.table("vpcs").has(vpcId)) throw new AdminError(`there is no VPC ${vpcId}`);
    if (tx.state.table("securityGroups").has(id)) throw new AdminError(`${id} exists already`);
    const group = newSecurityGroup(tx, { id, vpcId, name, type, tags, ...(capacity === undefined ? {} : { capacity }) });
    putSecurityGroup(tx, group);
    return group;
  },
});

export const setSecurityGroup = adminCommand({
  name: "setSecurityGroup",
  about: "another capacity",
  recorded: true,
  schema: z.strictObject({ id: z.string(), capacity: z.number().int().nonnegative() }),
  run(tx, { id, capacity }): SecurityGroup {
    const group = tx.securityGroup(id);
    if (group === undefined) throw new AdminError(`there is no security group ${id}`);
    tx.put("securityGroups", id, { ...group, capacity });
    return { ...group, capacity };
  },
});
