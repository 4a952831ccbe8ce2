import {
  type ConfigIssue,
  type DegradationLevel,
  issuesOf,
  keyInfo,
  notImplemented,
  parseGoDuration,
  Secret,
  unknownKeys,
} from "@terway/model";
import { loadAll } from "js-yaml";
import type { z } from "zod";
import { type Listen, parseListen } from "../listen-address.ts";
import { type CtrlConfigFile, ctrlConfigFileSchema, ctrlSecretFileSchema } from "./ctrl-config-keys.ts";

/** By hand: a level. By itself: failures in a row. */
export interface DegradationConfig {
  readonly level: DegradationLevel;
  readonly thresholds?: { readonly l1: number; readonly l0: number };
}

/** `ctrl-config.yaml` with defaults filled in and durations in milliseconds. */
export interface CtrlConfig {
  readonly namespace: string;
  /** Of lease, Service, webhook configurations. */
  readonly name: string;
  readonly leaderElection: boolean;
  readonly lease: { readonly leaseMs: number; readonly renewMs: number; readonly retryMs: number };
  readonly healthz: Listen;
  /** Absent: no metrics are served. */
  readonly metrics?: Listen;
  readonly clusterDomain: string;
  /** Absent: no webhooks are served. */
  readonly webhookPort?: number;
  readonly workers: {
    readonly pod: number;
    readonly podEni: number;
    readonly node: number;
    readonly eni: number;
    readonly multiIpPod: number;
    readonly multiIpNode: number;
  };
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly multiIp: {
    readonly syncPeriodMs: number;
    readonly gcPeriodMs: number;
    readonly firstFailureMs: number;
    readonly mostFailureMs: number;
  };
  readonly controllers: readonly string[];
  /** Absent: as the instance's metadata say. */
  readonly regionId?: string;
  readonly clusterId: string;
  readonly vpcId: string;
  readonly trunk: boolean;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly injectResources: boolean;
  readonly vSwitchPoolSize: number;
  readonly vSwitchLifeMs: number;
  /** Lower case; `statefulset` is among them. */
  readonly statefulKinds: readonly string[];
  /** Where no ENI can be had, a shared address will do for pods that ask for nothing else. */
  readonly fallbackToShared: boolean;
  /** Members kept for pods to come, for each node and combination. */
  readonly warmMembers: number;
  /** Every pod has ENIs of its own. */
  readonly ownEnisForAll: boolean;
  readonly centralizedIpam: boolean;
  readonly rateLimits: Readonly<Record<string, number>>;
  readonly degradation: DegradationConfig;
}

export interface CtrlSecret {
  readonly accessKey?: { readonly id: Secret; readonly secret: Secret };
  readonly credentialPath?: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly ConfigIssue[] }
  | { readonly ok: false; readonly errors: readonly ConfigIssue[] };

/** Reads `ctrl-config.yaml`. All problems at once. */
export function parseCtrlConfig(text: string): Parsed<CtrlConfig> {
  const file = parseYaml(text, ctrlConfigFileSchema);
  if (!file.ok) return file;
  const errors = problems(file.value);
  return errors.length > 0 ? { ok: false, errors } : { ok: true, value: normalize(file.value), warnings: file.warnings };
}

/** Reads `ctrl-secret.yaml`; no value of it gets into a message. */
export function parseCtrlSecret(text: string): Parsed<CtrlSecret> {
  const file = parseYaml(text, ctrlSecretFileSchema);
  if (!file.ok) return file;
  const { accessKey, accessSecret, credentialPath } = file.value;
  if (Boolean(accessKey) !== Boolean(accessSecret)) {
    const path = accessKey ? "accessSecret" : "accessKey";
    return { ok: false, errors: [{ path, code: "conflict", message: "is missing: `accessKey` and `accessSecret` belong together." }] };
  }
  const value = {
    ...(accessKey && accessSecret ? { accessKey: { id: new Secret(accessKey), secret: new Secret(accessSecret) } } : {}),
    ...(credentialPath ? { credentialPath } : {}),
  };
  return { ok: true, value, warnings: file.warnings };
}

function parseYaml<T extends z.ZodObject>(text: string, schema: T): Parsed<z.infer<T>> {
  let value: unknown;
  try {
    value = withoutNulls(loadAll(text)[0] ?? {});
  } catch (error) {
    const [first = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    return { ok: false, errors: [{ path: "", code: "syntax", message: `is no YAML: ${first}.` }] };
  }
  const parsed = schema.safeParse(value);
  const isSecret = ([name]: readonly PropertyKey[]) => {
    const of = typeof name === "string" ? schema.shape[name] : undefined;
    return of !== undefined && keyInfo(of as z.ZodType)?.secret === true;
  };
  if (!parsed.success) return { ok: false, errors: issuesOf(parsed.error, value, isSecret) };
  return { ok: true, value: parsed.data, warnings: [...unknownKeys(schema, value), ...notImplemented(schema, value)] };
}

/** A key without a value is not set. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
}

function problems(file: CtrlConfigFile): ConfigIssue[] {
  const found: ConfigIssue[] = [];
  for (const name of ["clusterID", "vpcID"] as const)
    if (!file[name]) found.push({ path: name, code: "value", message: "is missing; ENIs could not be told from those of other clusters." });
  for (const name of ["healthzBindAddress", "metricsBindAddress"] as const) {
    const text = file[name];
    if (text && text !== "0" && parseListen(text) === undefined)
      found.push({ path: name, code: "value", message: `must be [host]:port such as "0.0.0.0:8080", but is ${JSON.stringify(text)}.` });
  }
  const { thresholds } = degradationOf(file.degradation);
  if (thresholds !== undefined && thresholds.l0 <= thresholds.l1)
    found.push({
      path: "degradation.l0_threshold",
      code: "conflict",
      message: `is ${thresholds.l0} and must be more than \`l1_threshold\` (${thresholds.l1}).`,
    });
  const { leaseMs, renewMs, retryMs } = leaseOf(file);
  if (renewMs >= leaseMs)
    found.push({
      path: "renewDeadline",
      code: "conflict",
      message: `is ${renewMs} ms and must be less than \`leaseDuration\` (${leaseMs} ms).`,
    });
  if (retryMs >= renewMs)
    found.push({
      path: "retryPeriod",
      code: "conflict",
      message: `is ${retryMs} ms and must be less than \`renewDeadline\` (${renewMs} ms).`,
    });
  return found;
}

const ms = (text: string | undefined, otherwise: number) => (text ? parseGoDuration(text) : undefined) ?? otherwise;

function degradationOf(value: CtrlConfigFile["degradation"]): DegradationConfig {
  if (typeof value !== "object") return { level: value || "none" };
  return value.enable === true
    ? { level: "none", thresholds: { l1: value.l1_threshold ?? 5, l0: value.l0_threshold ?? 10 } }
    : { level: "none" };
}

function leaseOf(file: CtrlConfigFile) {
  return { leaseMs: ms(file.leaseDuration, 15_000), renewMs: ms(file.renewDeadline, 10_000), retryMs: ms(file.retryPeriod, 2_000) };
}

function normalize(file: CtrlConfigFile): CtrlConfig {
  const metrics = file.metricsBindAddress && file.metricsBindAddress !== "0" ? parseListen(file.metricsBindAddress) : undefined;
  const stack = file.ipStack ?? "ipv4";
  return {
    namespace: file.controllerNamespace || "kube-system",
    name: file.controllerName || "terway-controlplane",
    leaderElection: file.leaderElection ?? false,
    lease: leaseOf(file),
    healthz: parseListen(file.healthzBindAddress || "0.0.0.0:80") ?? { host: "0.0.0.0", port: 80 },
    ...(metrics === undefined ? {} : { metrics }),
    clusterDomain: file.clusterDomain || "cluster.local",
    ...(file.disableWebhook ? {} : { webhookPort: file.webhookPort ?? 4443 }),
    workers: {
      pod: file.podMaxConcurrent ?? 10,
      podEni: file.podENIMaxConcurrent ?? 10,
      node: file.nodeMaxConcurrent ?? 10,
      eni: file.eniMaxConcurrent ?? 300,
      multiIpPod: file.multiIPPodMaxConcurrent ?? 500,
      multiIpNode: file.multiIPNodeMaxConcurrent ?? 500,
    },
    nodeLabels: file.nodeLabelWhiteList ?? {},
    multiIp: {
      syncPeriodMs: ms(file.multiIPNodeSyncPeriod, 12 * 3_600_000),
      gcPeriodMs: ms(file.multiIPGCPeriod, 120_000),
      firstFailureMs: ms(file.multiIPMinSyncPeriodOnFailure, 1_000),
      mostFailureMs: ms(file.multiIPMaxSyncPeriodOnFailure, 300_000),
    },
    controllers: file.controllers ?? [],
    ...(file.regionID ? { regionId: file.regionID } : {}),
    clusterId: file.clusterID ?? "",
    vpcId: file.vpcID ?? "",
    trunk: file.enableTrunk ?? true,
    ipv4: stack !== "ipv6",
    ipv6: stack !== "ipv4",
    injectResources: file.enableWebhookInjectResource ?? true,
    vSwitchPoolSize: file.vSwitchPoolSize ?? 1000,
    vSwitchLifeMs: ms(file.vSwitchCacheTTL, 20 * 60_000),
    statefulKinds: [...new Set(["statefulset", ...(file.customStatefulWorkloadKinds ?? []).map((kind) => kind.toLowerCase())])],
    fallbackToShared: file.fallbackToSharedENI ?? false,
    warmMembers: file.warmMemberENIs ?? 0,
    ownEnisForAll: file.ipamType === "crd",
    centralizedIpam: file.centralizedIPAM ?? false,
    rateLimits: file.rateLimit ?? {},
    degradation: degradationOf(file.degradation),
  };
}
