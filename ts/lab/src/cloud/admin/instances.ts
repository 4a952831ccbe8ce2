import { z } from "zod";
import { AddressChoice } from "../address-choice.ts";
import { unattached } from "../eni.ts";
import { pluggedEni } from "../fabric-object.ts";
import { instanceTypes } from "../instance-types.ts";
import { newEni } from "../operation/create-network-interface.ts";
import type { Instance, NetworkInterface } from "../records.ts";
import { checkSecurityGroups } from "../security-groups.ts";
import { resourceId } from "../seeded-random.ts";
import type { Transaction } from "../transaction.ts";
import { AdminError, adminCommand } from "./command.ts";
import { tagsSchema } from "./topology.ts";

const instanceType = z.string().refine((type) => instanceTypes.has(type), "not in the catalogue of instance types");

/** An instance, running, with its primary ENI in use. */
export const createInstance = adminCommand({
  name: "createInstance",
  about: "a running instance with its primary ENI; answers when the fabric has plugged it",
  schema: z.strictObject({
    id: z.string().optional(),
    name: z.string().default(""),
    hostname: z.string().optional(),
    type: instanceType.default("ecs.g7.xlarge"),
    vSwitchId: z.string(),
    securityGroupIds: z.array(z.string()).min(1),
    /** Default: the next free address of the vSwitch. */
    primaryIpv4: z.string().optional(),
    /** Addresses of the primary ENI beside its primary one. */
    secondaryIpv4Count: z.number().int().nonnegative().default(0),
    ipv6Count: z.number().int().nonnegative().default(0),
    ramRole: z.string().optional(),
    metadataTokenRequired: z.boolean().default(false),
    tags: tagsSchema.default({}),
  }),
  run(tx, input): Instance {
    const { id = resourceId(tx.random, "i"), name, type, vSwitchId, securityGroupIds, ramRole, metadataTokenRequired, tags } = input;
    const vSwitch = tx.vSwitch(vSwitchId);
    if (vSwitch === undefined) throw new AdminError(`there is no vSwitch ${vSwitchId}`);
    if (tx.state.instances.has(id)) throw new AdminError(`${id} exists already`);
    checkSecurityGroups(tx, securityGroupIds, vSwitch.vpcId);
    const choice = new AddressChoice(tx, vSwitch);
    const [primaryIpv4 = ""] = input.primaryIpv4 === undefined ? choice.pick("ipv4", 1) : choice.take("ipv4", [input.primaryIpv4]);
    const addresses = {
      primaryIpv4,
      ipv4: [primaryIpv4, ...choice.pick("ipv4", input.secondaryIpv4Count)],
      ipv6: choice.pick("ipv6", input.ipv6Count),
      ipv4Prefixes: [],
      ipv6Prefixes: [],
    };
    const eni: NetworkInterface = {
      ...newEni(tx, vSwitch, addresses),
      type: "Primary",
      status: "InUse",
      instanceId: id,
      deviceIndex: 0,
      securityGroupIds,
    };
    const instance: Instance = {
      id,
      name,
      hostname: input.hostname ?? id,
      type,
      status: "Running",
      vpcId: vSwitch.vpcId,
      vSwitchId,
      zoneId: vSwitch.zoneId,
      primaryEniId: eni.id,
      securityGroupIds,
      ...(ramRole === undefined ? {} : { ramRole }),
      metadataTokenRequired,
      tags,
      createdMs: tx.nowMs,
    };
    tx.put("instances", id, instance);
    tx.putEni(eni);
    tx.effect({ type: "plug", eni: pluggedEni(tx.state, eni) });
    return instance;
  },
});

/** Stop, start, resize, require metadata tokens, take or give the RAM role. */
export const setInstance = adminCommand({
  name: "setInstance",
  about: "stop, start, resize, require metadata tokens, give or take (`null`) the RAM role",
  recorded: true,
  schema: z.strictObject({
    id: z.string(),
    status: z.enum(["Pending", "Starting", "Running", "Stopping", "Stopped"]).optional(),
    type: instanceType.optional(),
    metadataTokenRequired: z.boolean().optional(),
    ramRole: z.string().nullable().optional(),
  }),
  run(tx, { id, status, type, metadataTokenRequired, ramRole }): Instance {
    const instance = requireInstance(tx, id);
    const { ramRole: before, ...rest } = instance;
    const role = ramRole === undefined ? before : (ramRole ?? undefined);
    const changed: Instance = {
      ...rest,
      status: status ?? instance.status,
      type: type ?? instance.type,
      metadataTokenRequired: metadataTokenRequired ?? instance.metadataTokenRequired,
      ...(role === undefined ? {} : { ramRole: role }),
    };
    tx.put("instances", id, changed);
    return changed;
  },
});

/** The instance is gone; its ENIs go with it, those that shall not be deleted on release become Available. */
export const releaseInstance = adminCommand({
  name: "releaseInstance",
  about: "the instance goes, and its ENIs as their DeleteOnRelease says",
  recorded: true,
  schema: z.strictObject({ id: z.string() }),
  run(tx, { id }): { readonly deleted: readonly string[]; readonly kept: readonly string[] } {
    requireInstance(tx, id);
    const deleted: string[] = [];
    const kept: string[] = [];
    for (const eni of [...tx.state.enis.values()].filter((one) => one.instanceId === id)) {
      tx.effect({ type: "unplug", eniId: eni.id });
      const goes = eni.type === "Primary" || eni.deleteOnRelease;
      if (goes) tx.remove("enis", eni.id);
      else tx.putEni(unattached(eni));
      (goes ? deleted : kept).push(eni.id);
    }
    tx.remove("instances", id);
    return { deleted, kept };
  },
});

/** Somebody deletes an ENI with everything on it, whatever its state (fault F15); a trunk takes its members along (F49). */
export const vanishEni = adminCommand({
  name: "vanishEni",
  about: "somebody deletes an ENI whatever its state, a trunk with its members",
  recorded: true,
  schema: z.strictObject({ id: z.string() }),
  run(tx, { id }): { readonly vanished: readonly string[] } {
    const gone = [...tx.state.enis.values()].filter((eni) => eni.id === id || eni.trunkId === id);
    if (gone.length === 0) throw new AdminError(`there is no ENI ${id}`);
    for (const eni of gone) {
      tx.effect({ type: "unplug", eniId: eni.id });
      tx.remove("enis", eni.id);
    }
    return { vanished: gone.map((eni) => eni.id) };
  },
});

function requireInstance(tx: Transaction, id: string): Instance {
  const instance = tx.instance(id);
  if (instance === undefined) throw new AdminError(`there is no instance ${id}`);
  return instance;
}
