import { z } from "zod";
import { clusterMetadata, flag, integer, labels, strings, text, time } from "./field.ts";

const size = z.int().min(0).optional();
const trafficMode = z.enum(["Standard", "HighPerformance"]);

/**
 * Of an address. A word that is none of these is of somebody's hand or of a later release, and means that nobody is given the address; the rest of the object
 * counts all the same.
 */
function stateOf<T extends string>(known: readonly (T | "Invalid")[]) {
  return z.string().transform((word): T | "Invalid" => known.find((one) => one === word) ?? "Invalid");
}

const ipSchema = z.object({
  ip: z.string(),
  primary: z.boolean(),
  status: stateOf(["Valid", "Invalid", "Deleting"]),
  podID: text.meta({ description: "Namespace and name of the pod that holds the address." }),
  podUID: text,
  ipName: text,
});

const prefixSchema = z.object({
  prefix: z.string(),
  status: stateOf(["Valid", "Frozen", "Invalid", "Deleting"]),
  frozenExpireAt: time,
});

const networkInterfaceSchema = z.object({
  id: z.string(),
  status: z.string().meta({ description: "As the cloud names it: InUse, Attaching, Detaching, Deleting, Available and others." }),
  macAddress: text,
  vSwitchID: text,
  securityGroupIDs: strings,
  primaryIPAddress: text,
  networkInterfaceTrafficMode: trafficMode.optional(),
  networkInterfaceType: text,
  ipv4CIDR: text,
  ipv6CIDR: text,
  unschedulable: flag.meta({ description: "Shown, but never used nor changed." }),
  ipv4: z.record(z.string(), ipSchema).optional(),
  ipv6: z.record(z.string(), ipSchema).optional(),
  ipv4Prefix: z.array(prefixSchema).optional(),
  ipv6Prefix: z.array(prefixSchema).optional(),
  conditions: z.record(z.string(), z.object({ observedTime: time, message: text })).optional(),
});

/** A Node of `network.alibabacloud.com/v1beta1` (not the core one): a node's ENIs and addresses with centralized IPAM. It has the node's name. */
export const nodeResourceSchema = z.object({
  metadata: clusterMetadata,
  spec: z
    .object({
      nodeMetadata: z.object({ regionID: z.string(), instanceType: z.string(), instanceID: z.string(), zoneID: z.string() }).optional(),
      nodeCap: z
        .object({
          adapters: integer,
          eriQuantity: integer,
          totalAdapters: integer,
          ipv4PerAdapter: integer,
          ipv6PerAdapter: integer,
          memberAdapterLimit: integer,
          maxMemberAdapterLimit: integer,
          instanceBandwidthRx: integer,
          instanceBandwidthTx: integer,
          networkCards: z.array(z.object({ index: integer })).optional(),
          networkCardsCount: integer,
        })
        .optional()
        .meta({ description: "Limits of the instance type." }),
      datapath: z.object({ type: z.enum(["veth", "ipvlan", "datapathv2"]).optional() }).optional(),
      eni: z
        .object({
          tag: labels,
          tagFilter: labels,
          tagBlockList: z.array(z.object({ key: z.string(), value: z.string() })).optional(),
          vSwitchOptions: z.array(z.string()),
          securityGroupIDs: z.array(z.string()),
          resourceGroupID: text,
          vSwitchSelectPolicy: z.string(),
          enableIPv4: flag,
          enableIPv6: flag,
          enableERDMA: flag,
          enableTrunk: flag,
          enableIPPrefix: flag,
          ipv4PrefixCount: integer,
          ipv6PrefixCount: integer,
        })
        .optional(),
      pool: z
        .object({
          maxPoolSize: size,
          minPoolSize: size,
          warmUpSize: size,
          poolSyncPeriod: text,
          reclaim: z.object({ after: text, interval: text, batchSize: integer, jitterFactor: text }).optional(),
        })
        .optional(),
      flavor: z
        .array(
          z.object({
            networkInterfaceType: z.string(),
            networkInterfaceTrafficMode: trafficMode,
            count: z.int().min(0),
          }),
        )
        .optional()
        .meta({ description: "How many ENIs of which kind the node may have." }),
    })
    .optional(),
  status: z
    .object({
      nextSyncOpenAPITime: time,
      lastSyncOpenAPITime: time,
      lastModifiedTime: time,
      nextIdleIPReclaimTime: time,
      warmUpTarget: integer,
      warmUpAllocatedCount: integer,
      warmUpCompleted: flag,
      networkInterfaces: z.record(z.string(), networkInterfaceSchema).optional(),
    })
    .optional(),
});
export type NodeResource = z.infer<typeof nodeResourceSchema>;
