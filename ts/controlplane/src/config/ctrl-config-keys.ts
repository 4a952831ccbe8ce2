import { backoffSchema, key, parseGoDuration } from "@terway/model";
import { z } from "zod";

const text = z.string().optional();
const flag = z.boolean().optional();
const workers = (most: number) => z.int().min(1).max(most).optional();
const duration = z
  .string()
  .refine((value) => value === "" || parseGoDuration(value) !== undefined, 'must be a Go duration such as "90s" or "10m"')
  .optional();
/** `ctrl-config.yaml` as it stands in the file, with Terway's names. */
export const ctrlConfigFileSchema = z.object({
  leaseLockName: key(text, {
    type: "text",
    status: "ignored",
    inert: "terway-controller-lock",
    meaning: "The lease has the name of `controllerName`.",
  }),
  leaseLockNamespace: key(text, {
    type: "text",
    status: "ignored",
    inert: "kube-system",
    meaning: "The lease is in `controllerNamespace`.",
  }),
  leaseDuration: key(duration, {
    type: "duration",
    status: "active",
    meaning: "How long a leader that is not heard of counts as leading (15s).",
  }),
  renewDeadline: key(duration, {
    type: "duration",
    status: "active",
    meaning: "How long the leader tries to renew before it gives up (10s).",
  }),
  retryPeriod: key(duration, { type: "duration", status: "active", meaning: "Time between tries to lead or renew (2s)." }),
  controllerNamespace: key(text, {
    type: "text",
    status: "active",
    meaning: "Namespace of the lease and of the certificate's Secret (kube-system).",
  }),
  controllerName: key(text, {
    type: "text",
    status: "active",
    meaning: "Name of lease, Service and webhook configurations (terway-controlplane).",
  }),
  leaderElection: key(flag, { type: "boolean", status: "active", meaning: "Only one of several replicas runs controllers." }),
  healthzBindAddress: key(text, { type: "[host]:port", status: "active", meaning: "`/healthz` and `/readyz` (0.0.0.0:80)." }),
  metricsBindAddress: key(text, { type: "[host]:port, or `0`", status: "active", meaning: "`/metrics`; `0` is nowhere, the default." }),
  clusterDomain: key(text, {
    type: "text",
    status: "active",
    meaning: "Domain of Services, for the webhooks' certificate (cluster.local).",
  }),
  disableWebhook: key(flag, { type: "boolean", status: "active", meaning: "No webhooks are served." }),
  webhookPort: key(z.int().min(1).max(65_535).optional(), { type: "port", status: "active", meaning: "Of the webhooks (4443)." }),
  certDir: key(text, {
    type: "path",
    status: "ignored",
    inert: "/var/run/webhook-cert",
    meaning: "Certificate and key are never written to a file.",
  }),
  enableTrace: key(flag, { type: "boolean", status: "planned", meaning: "Traces are sent to `otelEndpoint`." }),
  podMaxConcurrent: key(workers(10_000), {
    type: "1 to 10000",
    status: "active",
    meaning: "Pods worked on at once by controller `pod` (10).",
  }),
  podENIMaxConcurrent: key(workers(10_000), { type: "1 to 10000", status: "active", meaning: "The same of `pod-eni` (10)." }),
  nodeMaxConcurrent: key(workers(10_000), { type: "1 to 10000", status: "active", meaning: "The same of `node` (10)." }),
  nodeLabelWhiteList: key(z.record(z.string(), z.string()).optional(), {
    type: "object: label → value",
    status: "active",
    meaning: "Only nodes with all these labels are handled.",
  }),
  eniMaxConcurrent: key(workers(10_000), { type: "1 to 10000", status: "active", meaning: "The same of `eni` (300)." }),
  multiIPPodMaxConcurrent: key(workers(20_000), { type: "1 to 20000", status: "active", meaning: "The same of `multi-ip-pod` (500)." }),
  multiIPNodeMaxConcurrent: key(workers(20_000), { type: "1 to 20000", status: "active", meaning: "The same of `multi-ip-node` (500)." }),
  multiIPNodeSyncPeriod: key(duration, {
    type: "duration",
    status: "active",
    meaning: "Time between whole comparisons of a node with the cloud (12h).",
  }),
  multiIPGCPeriod: key(duration, {
    type: "duration",
    status: "active",
    meaning: "Time between adjustments of a node's pool that does not say so itself (2m).",
  }),
  multiIPMinSyncPeriodOnFailure: key(duration, { type: "duration", status: "active", meaning: "Pause after a node's first failure (1s)." }),
  multiIPMaxSyncPeriodOnFailure: key(duration, { type: "duration", status: "active", meaning: "Longest pause after failures (300s)." }),
  controllers: key(z.array(z.string().min(1)).optional(), {
    type: "list of `name`, `-name`, `*`",
    status: "active",
    meaning: "Which controllers run; the first entry that speaks of one decides, and one that none speaks of has its own default.",
  }),
  regionID: key(text, { type: "text", status: "active", meaning: "Absent: that of the instance, from its metadata." }),
  clusterID: key(text, { type: "text", status: "active", meaning: "Required: tag of every ENI that is created (`ack.aliyun.com`)." }),
  vpcID: key(text, { type: "text", status: "active", meaning: "Required: VPC of the cluster." }),
  enableTrunk: key(flag, {
    type: "boolean",
    status: "active",
    meaning: "Pods of PodNetworkings that leave it open become members of a trunk (true).",
  }),
  enableDevicePlugin: key(flag, { type: "boolean", status: "ignored", meaning: "Devices are offered by the node's daemon." }),
  ipStack: key(z.enum(["ipv4", "ipv6", "dual"]).optional(), {
    type: "`ipv4`, `ipv6` or `dual`",
    status: "active",
    meaning: "Address families of pods' own ENIs (ipv4).",
  }),
  enableWebhookInjectResource: key(flag, {
    type: "boolean",
    status: "active",
    meaning: "Pods get requests for the ENIs they need (true).",
  }),
  kubeClientQPS: key(z.number().min(0).max(10_000).optional(), {
    type: "number",
    status: "ignored",
    meaning: "Requests to the API server are not throttled here: the server's own fairness does it.",
  }),
  kubeClientBurst: key(z.int().min(0).max(10_000).optional(), { type: "integer", status: "ignored", meaning: "As `kubeClientQPS`." }),
  vSwitchPoolSize: key(z.int().min(1).optional(), {
    type: "integer ≥ 1",
    status: "active",
    meaning: "vSwitches that are remembered (1000).",
  }),
  vSwitchCacheTTL: key(duration, {
    type: "duration",
    status: "active",
    meaning: "How long the free addresses of a vSwitch are believed (20m).",
  }),
  customStatefulWorkloadKinds: key(z.array(z.string().min(1)).optional(), {
    type: "list of kind",
    status: "active",
    meaning: "Kinds of owners whose pods come back under their names, beside StatefulSet; any case.",
  }),
  backoffOverride: key(z.record(z.string(), backoffSchema).optional(), {
    type: "object: name → {Duration, Factor, …}",
    status: "planned",
    meaning: "Pauses between tries.",
  }),
  fallbackToSharedENI: key(flag, {
    type: "boolean",
    status: "active",
    meaning:
      "When limits are reached, pods take addresses of shared ENIs instead of ENIs of their own, if they lose nothing by it; see [which](pod-network.md). Not a key of Terway.",
  }),
  warmMemberENIs: key(z.int().min(0).max(10).optional(), {
    type: "0 to 10",
    status: "active",
    meaning:
      "Members that wait on each node's trunk for the next pod, for each combination of security groups and vSwitch that its pods have (0). Not a key of Terway.",
  }),
  ipamType: key(text, { type: "text", status: "active", meaning: "`crd`: every pod has ENIs of its own. Deprecated by Terway; kept." }),
  centralizedIPAM: key(flag, { type: "boolean", status: "active", meaning: "Addresses of shared ENIs are given by this program." }),
  rateLimit: key(z.record(z.string(), z.int().min(1)).optional(), {
    type: "object: operation → calls per minute",
    status: "active",
    meaning: "Instead of the built-in limits.",
  }),
  degradation: key(
    z
      .union([
        z.enum(["", "l0", "l1"]),
        z.object({ enable: z.boolean().optional(), l0_threshold: z.int().min(1).optional(), l1_threshold: z.int().min(1).optional() }),
      ])
      .optional(),
    {
      type: "`l0`, `l1`, or `{enable, l0_threshold, l1_threshold}`",
      status: "active",
      meaning:
        "`l1` releases nothing, `l0` calls the cloud for nothing at all. By hand; or by itself, when so many calls (10 and 5) have failed one after another. Read while the program runs; everything else needs a restart.",
    },
  ),
});
export type CtrlConfigFile = z.infer<typeof ctrlConfigFileSchema>;

/** `ctrl-secret.yaml`. */
export const ctrlSecretFileSchema = z.object({
  accessKey: key(text, { type: "text", status: "active", secret: true, meaning: "AccessKey id; with `accessSecret`." }),
  accessSecret: key(text, { type: "text", status: "active", secret: true, meaning: "AccessKey secret." }),
  credentialPath: key(text, { type: "path", status: "active", meaning: "File with the add-on's short-lived credentials." }),
  otelEndpoint: key(text, { type: "host:port", status: "planned", meaning: "Where traces go." }),
  otelToken: key(text, { type: "text", status: "planned", secret: true, meaning: "For it." }),
});
