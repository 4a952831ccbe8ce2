import { formatIssue, parseEniConf } from "@terway/model";
import { z } from "zod";
import { type Found, type Reader, resources } from "./api.ts";
import { type Fact, section } from "./fact.ts";

const podTemplateSchema = z.looseObject({
  template: z.looseObject({ spec: z.looseObject({ containers: z.array(z.looseObject({ name: z.string(), image: z.string() })) }) }),
});
const rolloutSchema = z.looseObject({ desiredNumberScheduled: z.number().optional(), numberReady: z.number().optional() });

/** Keys of `eni_conf` that decide how a cluster behaves; the rest is in the reference. */
const shownKeys = [
  ...[
    "enable_eni_trunking",
    "enable_erdma",
    "ip_stack",
    "vswitch_selection_policy",
    "max_pool_size",
    "min_pool_size",
    "max_eni",
    "service_cidr",
  ],
  ...[
    "vswitches",
    "security_group",
    "security_groups",
    "eniip_virtual_type",
    "network_policy_provider",
    "enable_ip_prefix",
    "resource_group_id",
  ],
] as const;

/** What kind of Terway a cluster has. Source of the questions: the inspect script of Terway's troubleshooting document. */
export async function inspectCluster(reader: Reader): Promise<Fact[]> {
  const inSystem = (name: string) => reader.find(resources.configMap, "kube-system", name);
  const [daemon, eniConfig, profile, workerProxy, plainProxy] = await Promise.all([
    reader.find(resources.daemonSet, "kube-system", "terway-eniip"),
    inSystem("eni-config"),
    inSystem("ack-cluster-profile"),
    inSystem("kube-proxy-worker"),
    inSystem("kube-proxy"),
  ]);
  return [
    ...daemonFacts(daemon),
    ...configFacts(eniConfig),
    ...profileFacts(profile),
    ...proxyFacts(workerProxy.kind === "found" ? workerProxy : plainProxy),
  ];
}

/** Why an object tells nothing; undefined when it is there. */
export function missing(found: Found, what: string): string | undefined {
  if (found.kind === "found") return undefined;
  return found.kind === "absent" ? `${what} is not there` : `${what} cannot be read: ${found.why}`;
}

function daemonFacts(found: Found): Fact[] {
  const fact = section("Terway");
  if (found.kind !== "found") return [fact("daemon", undefined, missing(found, "DaemonSet kube-system/terway-eniip"))];
  const template = podTemplateSchema.safeParse(found.object.spec);
  const rollout = rolloutSchema.safeParse(found.object.status).data;
  const image = template.data?.template.spec.containers.find((container) => container.name === "terway")?.image;
  return [
    fact("image", image),
    fact("version", image?.split("@")[0]?.match(/:([^:/]+)$/)?.[1]),
    fact("ready", rollout === undefined ? undefined : `${rollout.numberReady ?? 0} of ${rollout.desiredNumberScheduled ?? 0}`),
  ];
}

function configFacts(found: Found): Fact[] {
  const fact = section("eni-config");
  if (found.kind !== "found") return [fact("eni_conf", undefined, missing(found, "ConfigMap kube-system/eni-config"))];
  const { data } = found.object;
  const text = data.eni_conf;
  if (text === undefined) return [fact("eni_conf", undefined, "the key is missing, no daemon can start")];
  const parsed = parseEniConf(text);
  const issues = [...(parsed.ok ? [] : parsed.errors), ...parsed.warnings].map((issue) => fact(issue.path, issue.code, formatIssue(issue)));
  const raw = z.record(z.string(), z.unknown()).safeParse(jsonOf(text)).data ?? {};
  const shown = (value: unknown) => (value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value));
  const off = !["", "0", "false", undefined].includes(data.disable_network_policy);
  const ipam = shown(raw.ipam_type);
  return [
    fact(
      "ipam_type",
      ipam || "default",
      ipam === "crd" ? "centralized: the control plane gives addresses" : "each node gives its own addresses",
    ),
    ...shownKeys.filter((key) => raw[key] !== undefined).map((key) => fact(key, shown(raw[key]))),
    fact("NetworkPolicy", off ? "off" : "on", `disable_network_policy: ${JSON.stringify(data.disable_network_policy ?? "")}`),
    fact("in_cluster_loadbalance", data.in_cluster_loadbalance),
    ...issues,
  ];
}

function profileFacts(found: Found): Fact[] {
  const fact = section("cluster");
  if (found.kind === "unknown") return [fact("service CIDR", undefined, missing(found, "ConfigMap kube-system/ack-cluster-profile"))];
  const data = found.kind === "found" ? found.object.data : {};
  const named = (pattern: RegExp) => Object.entries(data).find(([key]) => pattern.test(key))?.[1];
  const note = found.kind === "absent" ? "no ACK cluster: ConfigMap kube-system/ack-cluster-profile is not there" : undefined;
  return [fact("service CIDR", named(/service.?cidr/i), note), fact("IP stack", named(/ip.?stack/i), note)];
}

function proxyFacts(found: Found): Fact[] {
  const fact = section("kube-proxy");
  if (found.kind !== "found") return [fact("mode", undefined, missing(found, "ConfigMap kube-system/kube-proxy-worker"))];
  const text = found.object.data["config.conf"] ?? "";
  const named = (key: string) => text.match(new RegExp(`^\\s*${key}:\\s*"?([^"\\n]*?)"?\\s*$`, "m"))?.[1];
  return [
    fact("mode", named("mode") || "iptables", named("mode") ? undefined : "kube-proxy's own default"),
    fact("cluster CIDR", named("clusterCIDR") || undefined),
  ];
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
