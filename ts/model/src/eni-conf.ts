import { canonicalCidr } from "./address.ts";
import { type ConfigIssue, issuesOf, unknownKeys } from "./config-issue.ts";
import { keyInfo, notImplemented } from "./config-key.ts";
import { parseGoDuration } from "./duration.ts";
import { type EniConfFile, eniConfFileSchema } from "./eni-conf-keys.ts";
import { parseJsonText } from "./json-text.ts";
import type { IdleReclaim } from "./lease.ts";
import { type ModeKeys, modeKeys } from "./mode-keys.ts";
import { Secret } from "./secret.ts";

/** `eni_conf` with synonyms resolved, defaults filled in and durations in milliseconds. Holds only what is implemented. */
export interface EniConf {
  readonly version?: string;
  readonly accessKey?: { readonly id: Secret; readonly secret: Secret };
  readonly credentialPath?: string;
  /** Canonical CIDRs, in the order of the file. */
  readonly serviceCidrs: readonly string[];
  readonly networkPolicyEnforcingMode: "standard" | "strict";
  /** Zone → vSwitch ids, in the order of the file. */
  readonly vSwitches: Readonly<Record<string, readonly string[]>>;
  readonly vSwitchSelectionPolicy: "random" | "ordered" | "most";
  /** Sorted, each once, at most 10. */
  readonly securityGroupIds: readonly string[];
  readonly resourceGroupId?: string;
  readonly eniTags: Readonly<Record<string, string>>;
  readonly eniTagFilter: Readonly<Record<string, string>>;
  readonly eniTagBlockList: readonly { readonly key: string; readonly value: string }[];
  readonly maxPoolSize: number;
  readonly minPoolSize: number;
  readonly minEni: number;
  /** 0: off. */
  readonly ipWarmUpSize: number;
  /** Absent: nothing is given back below `maxPoolSize`. */
  readonly idleIpReclaim?: IdleReclaim;
  /** Absent: no limit beyond the instance type's. */
  readonly maxEni?: number;
  readonly eniCapRatio: number;
  readonly eniCapShift: number;
  readonly eniSelectionPolicy: "most_ips" | "least_ips";
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** Addresses come from the control plane, by the node's own Node object. */
  readonly centralizedIpam: boolean;
  readonly ipPoolSyncPeriodMs: number;
  /** OpenAPI operation → calls per minute. */
  readonly rateLimits: Readonly<Record<string, number>>;
  /** Calls of the cloud that fail one after another until nothing is released (`l1`) or called (`l0`); absent: never. */
  readonly degradation?: { readonly l1: number; readonly l0: number };
  /** Absent: as the environment says. */
  readonly logLevel?: "trace" | "debug" | "info" | "warn" | "error";
  /** Addresses are written to the pod's annotation. */
  readonly patchPodIps: boolean;
  /** ENIs are offered to the kubelet as devices. */
  readonly devicePlugin: boolean;
  /** Kinds of owners whose pods come back under their names, in lower case; `statefulset` is always among them. */
  readonly statefulKinds: readonly string[];
  /** Pods of one node reach each other inside it whatever groups their ENIs carry. */
  readonly localDeliveryAcrossSecurityGroups: boolean;
  /** How pods are connected, as far as this file says. */
  readonly modeKeys: ModeKeys;
  /** Canonical CIDRs. */
  readonly extraRoutes: readonly string[];
}

export type EniConfResult =
  | { readonly ok: true; readonly config: EniConf; readonly warnings: readonly ConfigIssue[] }
  | { readonly ok: false; readonly errors: readonly ConfigIssue[]; readonly warnings: readonly ConfigIssue[] };

/** Reads `eni_conf` text. Reports all problems at once; errors stop the start, warnings do not. */
export function parseEniConf(text: string): EniConfResult {
  const json = parseJsonText(text);
  if (!json.ok) {
    const { line, column, message } = json;
    return { ok: false, errors: [{ path: "", code: "syntax", line, column, message: `eni_conf is no JSON: ${message}.` }], warnings: [] };
  }
  const duplicates = json.duplicates.map(
    (path): ConfigIssue => ({ path, code: "duplicate_key", message: "stands more than once; the last one counts." }),
  );
  const result = parseEniConfValue(json.value);
  return { ...result, warnings: [...duplicates, ...result.warnings] };
}

/** The same for a value that was parsed (and perhaps merged with a per-node override, see `mergePatch`) before. */
export function parseEniConfValue(value: unknown): EniConfResult {
  const present = withoutNulls(value);
  const warnings = [...unknownKeys(eniConfFileSchema, present), ...notImplemented(eniConfFileSchema, present)];
  const parsed = eniConfFileSchema.safeParse(present);
  if (!parsed.success) {
    return { ok: false, errors: [...issuesOf(parsed.error, present, isSecret), ...conflicts(onlyValid(present))], warnings };
  }
  const errors = conflicts(parsed.data);
  if (errors.length > 0) return { ok: false, errors, warnings };
  return { ok: true, config: normalize(parsed.data), warnings: [...warnings, ...hints(parsed.data)] };
}

/** Go reads null as "not set", so do we. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
}

function isSecret(path: readonly PropertyKey[]): boolean {
  const [name] = path;
  return Object.entries(eniConfFileSchema.shape).some(([known, schema]) => known === name && keyInfo(schema)?.secret === true);
}

/** The keys that are right by themselves, so that conflicts between them are reported together with what is wrong elsewhere. */
function onlyValid(value: unknown): EniConfFile {
  if (typeof value !== "object" || value === null) return eniConfFileSchema.parse({});
  const shape: Readonly<Record<string, { safeParse(item: unknown): { success: boolean } }>> = eniConfFileSchema.shape;
  return eniConfFileSchema.parse(
    Object.fromEntries(Object.entries(value).filter(([name, item]) => shape[name]?.safeParse(item).success === true)),
  );
}

function securityGroups(file: EniConfFile): string[] {
  const all = [...(file.security_groups ?? []), ...(file.security_group ? [file.security_group] : [])];
  return [...new Set(all)].sort();
}

/** Keys that are right by themselves but not together. */
function conflicts(file: EniConfFile): ConfigIssue[] {
  const found: ConfigIssue[] = [];
  const conflict = (path: string, message: string) => found.push({ path, code: "conflict", message });
  const { min_pool_size: least, max_pool_size: most } = file;
  if (least !== undefined && most !== undefined && least > most) {
    conflict("min_pool_size", `is ${least}, which is more than \`max_pool_size\` (${most}).`);
  }
  if (Boolean(file.access_key) !== Boolean(file.access_secret)) {
    conflict(file.access_key ? "access_secret" : "access_key", "is missing: `access_key` and `access_secret` belong together.");
  }
  const groups = securityGroups(file).length;
  if (groups > 10) conflict("security_groups", `names ${groups} groups together with \`security_group\`; an ENI takes at most 10.`);
  if (file.ipv6 !== undefined && file.ip_stack !== undefined && file.ipv6 !== (file.ip_stack !== "ipv4")) {
    conflict("ipv6", `is ${file.ipv6}, which contradicts \`ip_stack: ${file.ip_stack}\`; remove \`ipv6\`.`);
  }
  const { enable_eni_trunking: trunking, trunk_on: trunkOn } = file;
  if (trunking !== undefined && trunkOn !== undefined && trunking !== trunkOn) {
    conflict("trunk_on", `is ${trunkOn}, which contradicts \`enable_eni_trunking: ${trunking}\`; remove \`trunk_on\`.`);
  }
  const tags = Object.keys(file.eni_tags ?? {}).length;
  if (tags > 16) conflict("eni_tags", `has ${tags} tags; an ENI takes 20, of which 4 are ours.`);
  const { l1, l0 } = thresholds(file);
  if (l0 <= l1) conflict("degradation.l0_threshold", `is ${l0} and must be more than \`l1_threshold\` (${l1}).`);
  return found;
}

const thresholds = ({ degradation: { l1_threshold: l1, l0_threshold: l0 } = {} }: EniConfFile) => ({ l1: l1 ?? 5, l0: l0 ?? 10 });

/** What is legal but probably not meant. */
function hints(file: EniConfFile): ConfigIssue[] {
  const found: ConfigIssue[] = [];
  if (file.ipv6 === true && file.ip_stack === undefined) {
    found.push({ path: "ipv6", code: "synonym", message: "is read as `ip_stack: dual`; write that instead." });
  }
  for (const [zone, ids] of Object.entries(file.vswitches ?? {})) {
    if (ids.length === 0)
      found.push({ path: `vswitches.${zone}`, code: "ignored", message: "is empty; nodes of this zone use their own vSwitch." });
  }
  return found;
}

/** Terway's defaults. Its Go code reads 0 and less as "not set". */
function idleIpReclaim(file: EniConfFile): Pick<EniConf, "idleIpReclaim"> {
  const afterMs = parseGoDuration(file.idle_ip_reclaim_after ?? "");
  if (afterMs === undefined) return {};
  return {
    idleIpReclaim: {
      afterMs,
      intervalMs: parseGoDuration(file.idle_ip_reclaim_interval ?? "") ?? 600_000,
      batchSize: file.idle_ip_reclaim_batch_size || 5,
      jitterFactor: Number(file.idle_ip_reclaim_jitter_factor || "0.1"),
    },
  };
}

function normalize(file: EniConfFile): EniConf {
  const stack = file.ip_stack ?? (file.ipv6 === true ? "dual" : "ipv4");
  const minPoolSize = file.min_pool_size ?? 0;
  return {
    ...(file.version ? { version: file.version } : {}),
    ...(file.access_key && file.access_secret
      ? { accessKey: { id: new Secret(file.access_key), secret: new Secret(file.access_secret) } }
      : {}),
    ...(file.credential_path ? { credentialPath: file.credential_path } : {}),
    serviceCidrs: (file.service_cidr ?? "").split(",").flatMap((part) => canonicalCidr(part.trim()) ?? []),
    networkPolicyEnforcingMode: file.network_policy_enforcing_mode ?? "standard",
    vSwitches: file.vswitches ?? {},
    vSwitchSelectionPolicy: file.vswitch_selection_policy ?? "random",
    securityGroupIds: securityGroups(file),
    ...(file.resource_group_id ? { resourceGroupId: file.resource_group_id } : {}),
    eniTags: file.eni_tags ?? {},
    eniTagFilter: file.eni_tag_filter ?? {},
    eniTagBlockList: (file.eni_tag_block_list ?? []).flatMap(({ key: name, value = "" }) => (name === "" ? [] : [{ key: name, value }])),
    maxPoolSize: file.max_pool_size ?? Math.max(5, minPoolSize),
    minPoolSize,
    minEni: file.min_eni ?? 0,
    ipWarmUpSize: file.ip_warm_up_size ?? 0,
    ...idleIpReclaim(file),
    ...(file.max_eni ? { maxEni: file.max_eni } : {}),
    // Go's zero value means "not set" in Terway: a ratio of 0 would leave no ENI at all.
    eniCapRatio: file.eni_cap_ratio || 1,
    eniCapShift: file.eni_cap_shift ?? 0,
    eniSelectionPolicy: file.eni_selection_policy ?? "most_ips",
    ipv4: stack !== "ipv6",
    ipv6: stack !== "ipv4",
    centralizedIpam: file.ipam_type === "crd",
    ipPoolSyncPeriodMs: parseGoDuration(file.ip_pool_sync_period ?? "") ?? 120_000,
    rateLimits: file.rate_limit ?? {},
    ...(file.degradation?.enable === true ? { degradation: thresholds(file) } : {}),
    ...(file.log_level ? { logLevel: file.log_level } : {}),
    patchPodIps: file.enable_patch_pod_ips ?? true,
    devicePlugin: file.disable_device_plugin !== true,
    statefulKinds: [...new Set(["statefulset", ...(file.custom_stateful_workload_kinds ?? []).map((kind) => kind.toLowerCase())])],
    localDeliveryAcrossSecurityGroups: file.local_delivery_across_security_groups ?? false,
    modeKeys: modeKeys(file),
    extraRoutes: (file.extra_routes ?? []).flatMap(({ dst }) => canonicalCidr(dst) ?? []),
  };
}
