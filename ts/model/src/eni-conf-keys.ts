import { z } from "zod";
import { parseCidr } from "./address.ts";
import { choice, key } from "./config-key.ts";
import { parseGoDuration } from "./duration.ts";
import { modeKeyShape } from "./mode-keys.ts";

const text = z.string().optional();
const flag = z.boolean().optional();
const count = z.int().min(0).optional();
const names = z.array(z.string().min(1)).optional();
const duration = (minimumMs: number) =>
  z
    .string()
    .refine((value) => value === "" || parseGoDuration(value) !== undefined, {
      error: 'must be a Go duration such as "90s" or "10m"',
      abort: true,
    })
    .refine((value) => value === "" || (parseGoDuration(value) ?? 0) >= minimumMs, `must be at least ${minimumMs / 1000}s`)
    .optional();
const cidrList = z
  .string()
  .refine(
    (value) => value === "" || value.split(",").every((part) => parseCidr(part.trim()) !== undefined),
    "must be a comma separated list of CIDRs",
  )
  .optional();

/** Limits of the cloud's tags (reference: ECS CreateNetworkInterface, Tag.N). */
const tags = z
  .record(
    z
      .string()
      .regex(
        /^(?!aliyun|acs:)(?!.*https?:\/\/)/,
        'is no tag key that the cloud accepts: it must not begin with "aliyun" or "acs:", nor contain "http://" or "https://"',
      )
      .min(1)
      .max(128),
    z.string().max(128),
  )
  .optional();
/** An entry of Terway's table of pauses, with Go's field names; times in nanoseconds. */
export const backoffSchema = z.object({
  InitialDelay: z.int().min(0).optional(),
  Duration: z.int().min(0).optional(),
  Factor: z.number().min(0).optional(),
  Jitter: z.number().min(0).optional(),
  Steps: z.int().min(0).optional(),
  Cap: z.int().min(0).optional(),
});

/** `eni_conf` as it stands in the file: Terway's keys first, then those that only documents name. */
export const eniConfFileSchema = z.object({
  version: key(text, { type: "text", status: "active", meaning: "Carried for people; not interpreted." }),
  access_key: key(text, {
    type: "text",
    status: "active",
    secret: true,
    meaning: "AccessKey id. With `access_secret`; without both, the RAM role of the instance is used.",
  }),
  access_secret: key(text, { type: "text", status: "active", secret: true, meaning: "AccessKey secret." }),
  credential_path: key(text, {
    type: "path",
    status: "active",
    meaning:
      "File with the add-on's short-lived credentials (`addon.token.config`), read again when it changes. Used when `access_key` is absent.",
  }),
  region_id: key(text, { type: "text", status: "ignored", meaning: "The region comes from the instance metadata." }),
  service_cidr: key(cidrList, {
    type: "comma separated list of CIDR",
    status: "active",
    meaning: "Addresses of Kubernetes Services, which pods reach through the node's own stack in every mode.",
  }),
  network_policy_enforcing_mode: key(choice(["standard", "strict"]), {
    type: "`standard` or `strict`",
    status: "active",
    meaning:
      "What a pod may do before its policies are known on the node: `standard` everything, `strict` nothing but talk to the node; a strict node that cannot enforce NetworkPolicy gives pods no network. Key `disable_network_policy` of the ConfigMap switches enforcement off, also at run time.",
  }),
  vswitches: key(z.record(z.string().min(1), z.array(z.string().min(1))).optional(), {
    type: "object: zone → list of vSwitch id",
    status: "active",
    meaning: "vSwitches that give addresses, for each zone. A zone without entry uses the vSwitch of the instance.",
  }),
  vswitch_selection_policy: key(choice(["random", "ordered", "most"]), {
    type: "`random`, `ordered` or `most`",
    status: "active",
    meaning: "Which vSwitch of the zone a new ENI takes: any, the first with free addresses, or the one with most free addresses.",
  }),
  security_group: key(text, { type: "security group id", status: "active", meaning: "United with `security_groups`." }),
  security_groups: key(names, {
    type: "list of security group id",
    status: "active",
    meaning: "Groups of every ENI that is created; at most 10 together with `security_group`. Without any, the groups of the primary ENI.",
  }),
  resource_group_id: key(text, { type: "resource group id", status: "active", meaning: "Resource group of every ENI that is created." }),
  eni_tags: key(tags, { type: "object: key → value", status: "active", meaning: "Tags of every ENI that is created, beside our own." }),
  eni_tag_filter: key(tags, { type: "object: key → value", status: "active", meaning: "Only ENIs with all these tags are managed." }),
  eni_tag_block_list: key(z.array(z.object({ key: z.string(), value: z.string().optional() })).optional(), {
    type: "list of {key, value}",
    status: "active",
    meaning: "ENIs with one of these tags are never managed; those of other controllers of the cloud always are among them.",
  }),
  max_pool_size: key(count, {
    type: "integer ≥ 0",
    status: "active",
    meaning:
      "Free addresses kept at most (5 when absent, or `min_pool_size` when that is larger). On nodes with exclusive ENIs this and all other sizes of the pool count ENIs.",
  }),
  min_pool_size: key(count, { type: "integer ≥ 0", status: "active", meaning: "Free addresses kept at least (0 when absent)." }),
  min_eni: key(count, {
    type: "integer ≥ 0",
    status: "active",
    meaning: "With `min_pool_size` 0: as many free addresses as this many ENIs hold are kept at least.",
  }),
  max_eni: key(count, {
    type: "integer ≥ 0",
    status: "active",
    meaning: "ENIs that may be used beside the primary one; 0 is no limit beyond that of the instance type.",
  }),
  eni_cap_ratio: key(z.number().min(0).max(1).optional(), {
    type: "number 0 to 1",
    status: "active",
    meaning: "Share of the instance type's ENIs that may be used (1 when absent or 0).",
  }),
  eni_cap_shift: key(z.int().optional(), {
    type: "integer",
    status: "active",
    meaning: "Added to the number of ENIs after `eni_cap_ratio`.",
  }),
  eni_selection_policy: key(choice(["most_ips", "least_ips"]), {
    type: "`most_ips` or `least_ips`",
    status: "active",
    meaning: "Which ENI is filled first.",
  }),
  ip_stack: key(choice(["ipv4", "dual", "ipv6"]), {
    type: "`ipv4`, `dual` or `ipv6`",
    status: "active",
    meaning: "Address families of pods (`ipv4` when absent).",
  }),
  ip_pool_sync_period: key(duration(1000), {
    type: "Go duration ≥ 1s",
    status: "active",
    meaning:
      "Period of the comparison with what the instance shows, and with the cloud where that contradicts the journal (120s when absent); the cloud is asked every 10 minutes in any case.",
  }),
  rate_limit: key(z.record(z.string().min(1), z.int().min(1)).optional(), {
    type: "object: operation → calls per minute",
    status: "active",
    meaning: "Overrides the built-in limit of an OpenAPI operation of this process.",
  }),
  log_level: key(choice(["trace", "debug", "info", "warn", "error"]), {
    type: "`trace`, `debug`, `info`, `warn` or `error`",
    status: "active",
    meaning: "Verbosity; the environment variable `LOG_LEVEL` wins (`info` when neither is set).",
  }),
  ...modeKeyShape,
  ipam_type: key(choice(["default", "crd", "prefercrd"]), {
    type: "`default` or `crd`",
    status: "active",
    meaning: "`crd`: the control plane allocates addresses, and no node calls the cloud; `default`: each node does.",
  }),
  enable_erdma: key(flag, { type: "boolean", status: "planned", meaning: "ENIs with eRDMA are used." }),
  ip_warm_up_size: key(count, {
    type: "integer ≥ 0",
    status: "active",
    meaning:
      "Once on a new node, the pool grows to this many addresses, used ones included, whatever `max_pool_size` says; what is too many is given back afterwards (0, off, when absent).",
  }),
  idle_ip_reclaim_after: key(duration(0), {
    type: "Go duration",
    status: "active",
    meaning:
      "When no pod came or went for this long, idle addresses are given back in rounds, down to `min_pool_size` (never when absent).",
  }),
  idle_ip_reclaim_interval: key(duration(1000), {
    type: "Go duration ≥ 1s",
    status: "active",
    meaning: "Time from the quiet to the first round and between two rounds (10m when absent).",
  }),
  idle_ip_reclaim_batch_size: key(count, {
    type: "integer ≥ 0",
    status: "active",
    meaning: "Addresses given back in a round (5 when absent or 0).",
  }),
  idle_ip_reclaim_jitter_factor: key(
    z
      .string()
      .regex(/^$|^\d*\.?\d+$/, 'must be a number in text, such as "0.1"')
      .optional(),
    { type: "number in text", status: "active", meaning: "Share by which chance lengthens that interval at most (`0.1` when absent)." },
  ),
  custom_stateful_workload_kinds: key(names, {
    type: "list of kind",
    status: "active",
    meaning:
      "Owner kinds, in any case, whose pods keep their addresses for five minutes as those of a StatefulSet do. Needs the pod's object.",
  }),
  backoff_override: key(z.record(z.string(), backoffSchema).optional(), {
    type: "object: name → {InitialDelay, Duration, Factor, Jitter, Steps, Cap}, durations in ns",
    status: "planned",
    meaning: "Replaces entries of the back-off table.",
  }),
  local_delivery_across_security_groups: key(flag, {
    type: "boolean",
    status: "active",
    meaning:
      "Deliver between pods of this node inside it even if their ENIs carry different security groups, which then do not apply between them (a key of this project). By default such traffic goes through the VPC. Counts for pods that start later, see [pod links](pod-links.md).",
  }),
  extra_routes: key(z.array(z.object({ dst: z.string().refine((value) => parseCidr(value) !== undefined, "must be a CIDR") })).optional(), {
    type: "list of {dst: CIDR}",
    status: "active",
    meaning: "Further destinations through the interface of every pod. Those of a family that a pod lacks are left out.",
  }),
  disable_device_plugin: key(flag, {
    type: "boolean",
    status: "active",
    meaning:
      "The kubelet is not told to count `aliyun/eni` (whole ENIs) and `aliyun/member-eni` (members of a trunk). Counts from the daemon's next start.",
  }),
  kube_client_qps: key(z.number().min(0).optional(), {
    type: "number ≥ 0",
    status: "planned",
    meaning: "Requests per second to the API server.",
  }),
  kube_client_burst: key(count, { type: "integer ≥ 0", status: "planned", meaning: "Burst of requests to the API server." }),
  enable_patch_pod_ips: key(flag, {
    type: "boolean",
    status: "active",
    meaning:
      "Addresses are written to pod annotation `k8s.aliyun.com/pod-ips` as soon as they are the pod's (`true` when absent). Needs an API server.",
  }),
  enable_ip_prefix: key(flag, { type: "boolean", status: "planned", meaning: "Prefixes (/28, /80) instead of single addresses." }),
  ipv4_prefix_count: key(count, { type: "integer ≥ 0", status: "planned", meaning: "IPv4 prefixes of the node." }),
  ipv6_prefix_count: key(count, { type: "integer ≥ 0", status: "planned", meaning: "IPv6 prefixes of the node." }),
  prefix: key(text, { type: "text", status: "ignored", meaning: "Declared by Terway, without effect there and here." }),
  ipv6: key(flag, { type: "boolean", status: "synonym", meaning: "`true` is `ip_stack: dual`." }),
  disable_security_policy: key(flag, { type: "boolean", status: "planned", meaning: "NetworkPolicy is not enforced." }),
  degradation: key(
    z.object({ enable: flag, l0_threshold: z.int().min(1).optional(), l1_threshold: z.int().min(1).optional() }).optional(),
    {
      type: "{enable, l0_threshold, l1_threshold}",
      status: "active",
      meaning:
        "With `enable`, when so many calls of the cloud (10 and 5) have met no answer, an error of its own or throttling one after another: L1 releases nothing, L0 calls nothing. Left by as many successes.",
    },
  ),
  hot_plug: key(flag, {
    type: "boolean",
    status: "ignored",
    inert: true,
    meaning: "ENIs are always attached while the node runs; it cannot be switched off.",
  }),
});
export type EniConfFile = z.infer<typeof eniConfFileSchema>;
