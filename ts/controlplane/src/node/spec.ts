import type { IdleReclaim, InstanceLimits, NodeResource, PoolConfig } from "@terway/model";
import { parseGoDuration } from "@terway/model";

type Spec = NonNullable<NodeResource["spec"]>;

/** What the controller fills in of a node's spec; the node itself cannot ask the cloud. */
export function nodeCapOf(limits: InstanceLimits): NonNullable<Spec["nodeCap"]> {
  const members = limits.trunkSupported ? Math.max(0, limits.totalAdapters - limits.adapters) : 0;
  return {
    adapters: limits.adapters,
    totalAdapters: limits.totalAdapters,
    ipv4PerAdapter: limits.ipv4PerAdapter,
    ipv6PerAdapter: limits.ipv6PerAdapter,
    eriQuantity: limits.erdmaAdapters,
    memberAdapterLimit: members,
    maxMemberAdapterLimit: limits.trunkSupported ? Math.max(0, limits.totalAdapters - 2) : 0,
  };
}

export interface NodePlan {
  readonly identity: { readonly instanceId: string; readonly zoneId: string };
  readonly config: PoolConfig;
}

/** How long a released address rests before it is given to another pod. */
const coolDownMs = 30_000;
/** Terway's, for a policy that leaves them out. */
const reclaimDefaults = { interval: "10m", batchSize: 5, jitterFactor: "0.1" } as const;
const creatorTag = { creator: "terway" } as const;

/**
 * What the pool of a node shall be; a sentence when the spec does not say enough yet. `groups` are those of the instance's own interface, for a
 * configuration that names none.
 */
export function planOf(spec: Spec | undefined, syncPeriodMs: number, groups: readonly string[] = []): NodePlan | string {
  const { nodeMetadata, nodeCap, eni, pool, flavor } = spec ?? {};
  if (!nodeMetadata) return "spec.nodeMetadata is not filled in yet; terwayd of the node does that";
  if (nodeCap?.adapters === undefined) return "spec.nodeCap is not filled in yet";
  if (!eni || !pool || !flavor) return "spec.eni, spec.pool and spec.flavor are not filled in yet; terwayd of the node does that";
  const countOf = (type: string) =>
    flavor
      .filter((one) => one.networkInterfaceType === type && one.networkInterfaceTrafficMode === "Standard")
      .reduce((sum, { count }) => sum + count, 0);
  const beside = Math.max(0, nodeCap.adapters - 1);
  const trunkEnis = Math.min(countOf("Trunk"), beside);
  const ipv6PerEni = nodeCap.ipv6PerAdapter ?? 0;
  const ipv6 = eni.enableIPv6 === true && ipv6PerEni > 0;
  const reclaim = reclaimOf(pool.reclaim);
  const maxIdle = pool.maxPoolSize ?? 0;
  const minIdle = Math.min(pool.minPoolSize ?? 0, maxIdle);
  // Thousands of nodes share one budget of calls: from the middle, a few pods may come or go before the next one.
  const middle = Math.ceil((minIdle + maxIdle) / 2);
  return {
    identity: { instanceId: nodeMetadata.instanceID, zoneId: nodeMetadata.zoneID },
    config: {
      ipv4: eni.enableIPv4 === true || !ipv6,
      ipv6,
      exclusive: false,
      ...{ minIdle, maxIdle, refillIdle: middle, drainIdle: middle },
      warmUpSize: pool.warmUpSize ?? 0,
      ...(reclaim === undefined ? {} : { reclaim }),
      // ENIs with eRDMA are nobody's here: their slots stay free for whoever makes them.
      maxEnis: Math.min(countOf("Secondary"), beside - trunkEnis),
      trunkEnis,
      ipv4PerEni: nodeCap.ipv4PerAdapter ?? 0,
      ipv6PerEni,
      vSwitchIds: eni.vSwitchOptions,
      vSwitchPolicy: policyOf(eni.vSwitchSelectPolicy),
      eniPolicy: "most_ips",
      securityGroupIds: eni.securityGroupIDs.length > 0 ? eni.securityGroupIDs : groups,
      ...(eni.resourceGroupID ? { resourceGroupId: eni.resourceGroupID } : {}),
      eniTags: { ...eni.tag, ...creatorTag },
      ...(eni.tagFilter === undefined ? {} : { tagFilter: eni.tagFilter }),
      ...(eni.tagBlockList === undefined ? {} : { tagBlockList: eni.tagBlockList }),
      coolDownMs,
      syncPeriodMs,
    },
  };
}

/** Fields that say what cannot be understood, and what is done instead; the definition lets any text through. */
export function specProblems(spec: Spec | undefined): readonly string[] {
  const { eni, pool } = spec ?? {};
  const problems: string[] = [];
  const wrong = (field: string, text: string, instead: string) => problems.push(`${field}: ${JSON.stringify(text)} ${instead}`);
  const policy = eni?.vSwitchSelectPolicy ?? "";
  if (!["", "ordered", "random", "most"].includes(policy))
    wrong("spec.eni.vSwitchSelectPolicy", policy, "is none of ordered, random, most; random is used");
  const { after, interval, jitterFactor } = pool?.reclaim ?? {};
  if (after !== undefined && parseGoDuration(after) === undefined)
    wrong("spec.pool.reclaim.after", after, "is no duration; nothing is reclaimed");
  if (interval !== undefined && parseGoDuration(interval) === undefined)
    wrong("spec.pool.reclaim.interval", interval, `is no duration; ${reclaimDefaults.interval} is used`);
  if (jitterFactor !== undefined && !(Number.parseFloat(jitterFactor) >= 0))
    wrong("spec.pool.reclaim.jitterFactor", jitterFactor, `is no number from 0 on; ${reclaimDefaults.jitterFactor} is used`);
  return problems;
}

function policyOf(text: string): PoolConfig["vSwitchPolicy"] {
  return text === "ordered" || text === "most" ? text : "random";
}

/** Each field by itself: what is missing or does not parse is Terway's default. Without `after` nothing is reclaimed. */
function reclaimOf(policy: NonNullable<Spec["pool"]>["reclaim"]): IdleReclaim | undefined {
  const afterMs = parseGoDuration(policy?.after ?? "");
  if (policy === undefined || afterMs === undefined) return undefined;
  const jitter = Number.parseFloat(policy.jitterFactor ?? reclaimDefaults.jitterFactor);
  return {
    afterMs,
    intervalMs: parseGoDuration(policy.interval ?? "") ?? parseGoDuration(reclaimDefaults.interval) ?? 600_000,
    batchSize: policy.batchSize !== undefined && policy.batchSize > 0 ? policy.batchSize : reclaimDefaults.batchSize,
    jitterFactor: Number.isFinite(jitter) && jitter >= 0 ? jitter : 0.1,
  };
}
