import { isDeepStrictEqual } from "node:util";
import type { EniConf, InstanceIdentity, InstanceLimits, NodeModes, NodeResource, PoolConfig } from "@terway/model";
import { virtualTypeName } from "../mode-choice.ts";
import { alwaysBlockedTags } from "../pool-config.ts";

type Spec = NonNullable<NodeResource["spec"]>;

/** What this node wants of the control plane, as Terway's daemon writes it. Pure. */
export function nodeSpec(input: {
  readonly conf: EniConf;
  readonly identity: InstanceIdentity;
  /** Bounds by configuration and instance type; undefined while the type's limits are not known. */
  readonly bounds: PoolConfig | undefined;
  readonly modes: NodeModes | undefined;
  /** Pods may be members of a trunk, and the instance type has trunks. */
  readonly trunk: boolean;
}): Spec {
  const { conf, identity, bounds, modes } = input;
  const { regionId: regionID, instanceType, instanceId: instanceID, zoneId: zoneID } = identity;
  const zone = conf.vSwitches[zoneID] ?? [];
  const reclaim = conf.idleIpReclaim;
  return {
    nodeMetadata: { regionID, instanceType, instanceID, zoneID },
    ...(modes === undefined ? {} : { datapath: { type: virtualTypeName(modes) } }),
    eni: {
      tag: { ...conf.eniTags },
      ...(Object.keys(conf.eniTagFilter).length === 0 ? {} : { tagFilter: { ...conf.eniTagFilter } }),
      tagBlockList: [...alwaysBlockedTags, ...conf.eniTagBlockList.filter((one) => !alwaysBlockedTags.some((two) => isSame(one, two)))],
      vSwitchOptions: zone.length > 0 ? [...zone] : [identity.vSwitchId],
      securityGroupIDs: [...conf.securityGroupIds],
      ...(conf.resourceGroupId === undefined ? {} : { resourceGroupID: conf.resourceGroupId }),
      vSwitchSelectPolicy: conf.vSwitchSelectionPolicy,
      enableIPv4: conf.ipv4,
      enableIPv6: conf.ipv6,
    },
    pool: {
      maxPoolSize: conf.maxPoolSize,
      minPoolSize: conf.minPoolSize,
      warmUpSize: conf.ipWarmUpSize,
      poolSyncPeriod: `${conf.ipPoolSyncPeriodMs / 1000}s`,
      ...(reclaim === undefined
        ? {}
        : {
            reclaim: {
              after: `${reclaim.afterMs / 1000}s`,
              interval: `${reclaim.intervalMs / 1000}s`,
              batchSize: reclaim.batchSize,
              jitterFactor: String(reclaim.jitterFactor),
            },
          }),
    },
    ...(bounds === undefined ? {} : { flavor: flavorOf(bounds, input.trunk) }),
  };
}

/** One slot is the trunk's, where there may be one: controller `pod-eni` makes it when the first pod needs it. */
function flavorOf({ maxEnis }: PoolConfig, trunk: boolean): NonNullable<Spec["flavor"]> {
  const networkInterfaceTrafficMode = "Standard";
  const trunks = trunk ? Math.min(1, maxEnis) : 0;
  return [
    ...(trunks === 0 ? [] : [{ networkInterfaceType: "Trunk", networkInterfaceTrafficMode, count: trunks } as const]),
    { networkInterfaceType: "Secondary", networkInterfaceTrafficMode, count: maxEnis - trunks },
  ];
}

const isSame = (one: { key: string; value: string }, two: { key: string; value: string }) => one.key === two.key && one.value === two.value;

/** The limits that the control plane filled in; undefined while it has not. */
export function limitsOf(spec: Spec | undefined): InstanceLimits | undefined {
  const { nodeMetadata, nodeCap } = spec ?? {};
  if (nodeMetadata === undefined || nodeCap?.adapters === undefined) return undefined;
  const { adapters, totalAdapters = adapters, ipv4PerAdapter = 0, ipv6PerAdapter = 0, memberAdapterLimit = 0, eriQuantity = 0 } = nodeCap;
  const { instanceType } = nodeMetadata;
  return {
    ...{ instanceType, adapters, totalAdapters, ipv4PerAdapter, ipv6PerAdapter, erdmaAdapters: eriQuantity },
    trunkSupported: memberAdapterLimit > 0,
  };
}

/** Whether everything that is wanted stands there; what else does is somebody else's. */
export function contains(there: unknown, wanted: unknown): boolean {
  if (!isObject(wanted)) return isDeepStrictEqual(there, wanted);
  return isObject(there) && Object.entries(wanted).every(([key, value]) => value === undefined || contains(there[key], value));
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
