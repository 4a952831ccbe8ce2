import type { EniConf, InstanceIdentity, InstanceLimits, PoolConfig } from "@terway/model";

export interface PoolSizing {
  readonly config: PoolConfig;
  /** What the instance type does not allow of what was asked for; complete sentences. */
  readonly reductions: readonly string[];
}

/** Tag by which our ENIs are known; Terway's own. */
export const creatorTag = { creator: "terway" } as const;

/** ENIs with one of these are another controller's, whatever the configuration says. Source: Terway's defaults. */
export const alwaysBlockedTags = [
  { key: "creator", value: "alibabacloud-erdma-controller" },
  { key: "terway.alibabacloud.com/excluded", value: "true" },
] as const;

/** Bounds of the pool from `eni_conf` and the instance type, by Terway's rules. Pure. */
export function poolConfig(input: {
  readonly conf: EniConf;
  readonly identity: InstanceIdentity;
  readonly limits: InstanceLimits;
  /** Groups of the primary ENI, for a configuration that names none. */
  readonly primarySecurityGroupIds: readonly string[];
  readonly coolDownMs: number;
  /** Each pod has a whole ENI: idle bounds and capacity are ENIs. */
  readonly exclusive: boolean;
}): PoolSizing {
  const { conf, identity, limits, exclusive } = input;
  const reductions: string[] = [];
  const reduce = (text: string) => void reductions.push(text);

  // The primary ENI counts in `adapters` and carries no pods.
  const allowed = Math.max(0, limits.adapters - 1);
  const wanted = Math.floor(limits.adapters * conf.eniCapRatio) + conf.eniCapShift - 1;
  const budget = Math.max(0, Math.min(wanted, allowed, conf.maxEni ?? Number.POSITIVE_INFINITY));
  if (wanted > allowed)
    reduce(`eni_cap_ratio and eni_cap_shift ask for ${wanted} ENIs; ${limits.instanceType} allows ${allowed} beside the primary one.`);

  const ipv6 = conf.ipv6 && limits.ipv6PerAdapter > 0;
  if (conf.ipv6 && !ipv6) reduce(`ip_stack asks for IPv6; ${limits.instanceType} has none.`);
  const families = [conf.ipv4 ? limits.ipv4PerAdapter : undefined, ipv6 ? limits.ipv6PerAdapter : undefined];
  const places = Math.min(...families.filter((count) => count !== undefined));
  const perEni = exclusive ? Math.min(1, places) : places;
  const capacity = budget * (Number.isFinite(perEni) ? perEni : 0);

  const maxIdle = Math.min(conf.maxPoolSize, capacity);
  const asked = conf.minPoolSize > 0 ? conf.minPoolSize : Math.min(conf.minEni * perEni, conf.maxPoolSize);
  const minIdle = Math.min(asked, maxIdle);
  if (asked > minIdle)
    reduce(
      `min_pool_size ${asked} is more than the ${capacity} ${exclusive ? "ENIs" : "addresses"} this instance can hold; ${minIdle} are kept.`,
    );

  const zone = conf.vSwitches[identity.zoneId] ?? [];
  if (zone.length === 0 && Object.keys(conf.vSwitches).length > 0) {
    reduce(`vswitches names none in zone ${identity.zoneId}; the instance's own ${identity.vSwitchId} is used.`);
  }
  return {
    reductions,
    config: {
      ipv4: conf.ipv4,
      ipv6,
      exclusive,
      minIdle,
      maxIdle,
      warmUpSize: conf.ipWarmUpSize,
      ...(conf.idleIpReclaim === undefined ? {} : { reclaim: conf.idleIpReclaim }),
      maxEnis: budget,
      ipv4PerEni: limits.ipv4PerAdapter,
      ipv6PerEni: limits.ipv6PerAdapter,
      vSwitchIds: zone.length > 0 ? zone : [identity.vSwitchId],
      vSwitchPolicy: conf.vSwitchSelectionPolicy,
      eniPolicy: conf.eniSelectionPolicy,
      securityGroupIds: conf.securityGroupIds.length > 0 ? conf.securityGroupIds : input.primarySecurityGroupIds,
      ...(conf.resourceGroupId === undefined ? {} : { resourceGroupId: conf.resourceGroupId }),
      eniTags: { ...conf.eniTags, ...creatorTag },
      tagFilter: conf.eniTagFilter,
      tagBlockList: [...alwaysBlockedTags, ...conf.eniTagBlockList],
      coolDownMs: input.coolDownMs,
      syncPeriodMs: conf.ipPoolSyncPeriodMs,
    },
  };
}

/** Before the instance is known: nothing may grow, nothing may shrink. */
export function dormantPoolConfig(conf: EniConf, coolDownMs: number, exclusive: boolean): PoolConfig {
  return {
    ipv4: conf.ipv4,
    ipv6: conf.ipv6,
    exclusive,
    minIdle: 0,
    maxIdle: Number.MAX_SAFE_INTEGER,
    warmUpSize: 0,
    maxEnis: 0,
    ipv4PerEni: 0,
    ipv6PerEni: 0,
    vSwitchIds: [],
    vSwitchPolicy: conf.vSwitchSelectionPolicy,
    eniPolicy: conf.eniSelectionPolicy,
    securityGroupIds: [],
    eniTags: { ...conf.eniTags, ...creatorTag },
    coolDownMs,
    syncPeriodMs: conf.ipPoolSyncPeriodMs,
  };
}
