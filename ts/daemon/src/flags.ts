import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { type OidcRole, oidcRoleOf } from "@terway/cloud";
import type { ClientSource } from "@terway/kube";
import { exclusiveModeLabel } from "@terway/model";
import { type LogLevel, logLevels } from "./log.ts";

export interface Flags {
  /** Files of the configuration; absent: ConfigMap `eni-config` of the cluster. */
  readonly files?: { readonly config: string; readonly cniConf: string };
  readonly cniConfDir: string;
  readonly runDir: string;
  readonly stateDir: string;
  /** BPF file system, or a folder of it, for kernel programs. */
  readonly bpffs: string;
  readonly nodeName: string;
  /** Where the kubelet meets device plugins. */
  readonly devicePluginDir: string;
  /** Where ConfigMaps stand. */
  readonly namespace: string;
  /** Where Kubernetes objects are; absent: what the runtime says is all that is known of pods. */
  readonly cluster?: ClusterPlace;
  /** Where `/metrics` and the probes are served over TCP beside the socket. Absent: nowhere. An empty host is every address of the node. */
  readonly metricsListen?: { readonly host: string; readonly port: number };
  readonly ruleForm: "compact" | "per_pod";
  readonly coolDownMs: number;
  readonly learningWindowMs: number;
  /** From flag or environment; undefined leaves it to `eni_conf`. */
  readonly logLevel?: LogLevel;
  readonly endpoints: { readonly ecs?: string; readonly vpc?: string; readonly sts?: string; readonly metadata?: string };
  /** RAM role of the service account (RRSA), from the environment. */
  readonly oidcRole?: OidcRole;
  /** Test hook. */
  readonly failpoint?: string;
}

/** A directory of JSON files, or an API server by a kubeconfig file or by this pod's service account. */
export type ClusterPlace = { readonly directory: string } | ClientSource;

export type FlagsResult =
  | { readonly kind: "run"; readonly flags: Flags }
  | { readonly kind: "help" }
  | { readonly kind: "error"; readonly problems: readonly string[] };

export const helpText = `terwayd - the node daemon of Terway

Usage: terwayd [flags]

  --config PATH         eni_conf file                                    (/etc/eni/eni_conf; with an API server ConfigMap eni-config)
  --cni-conf PATH       10-terway.conf; PATHlist beside it wins          (/etc/eni/10-terway.conf; with an API server the same ConfigMap)
  --cni-conf-dir DIR    where the runtime reads its conflist             (/etc/cni/net.d)
  --run-dir DIR         sockets and tombstones                           (/var/run/eni)
  --state-dir DIR       journal                                          (/var/lib/cni/terway)
  --bpffs DIR           BPF file system for kernel programs              (/sys/fs/bpf)
  --node-name NAME      name of this node                                (NODE_NAME, else the host name)
  --kubeconfig PATH     file that names the API server and the credentials  (in a pod: its service account)
  --device-plugin-dir DIR  the kubelet's, with an API server             (/var/lib/kubelet/device-plugins)
  --objects DIR         Kubernetes objects (Pod, Node, PodENI) as JSON files, where no API server is
  --metrics-listen ADDRESS  [HOST]:PORT for /metrics, /healthz and /readyz over TCP, beside the socket  (none)
  --daemon-mode MODE    ENIMultiIP, the only one                         (ENIMultiIP)
  --rule-form FORM      compact: packets cost the same however many pods; per_pod: two rules a pod, as Terway  (compact)
  --cool-down SECONDS   rest of a released address before it is given out again  (30)
  --learning-window SECONDS  how long pods that run when NetworkPolicy begins are only watched  (120)
  --log-level LEVEL     ${logLevels.join(", ")}   (LOG_LEVEL, else log_level of eni_conf, else info)
  --help

Environment:
  NODE_NAME, LOG_LEVEL
  POD_NAMESPACE                              where ConfigMap eni-config stands (kube-system)
  KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT   the API server, for a pod with a service account; needs NODE_NAME
  TERWAY_ECS_ENDPOINT, TERWAY_VPC_ENDPOINT   URL of the OpenAPI, instead of the region's own
  TERWAY_STS_ENDPOINT                        URL that gives credentials of a service account's role, instead of the region's own
  ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN, ALIBABA_CLOUD_OIDC_TOKEN_FILE
                                             RAM role of the service account (RRSA), before that of the instance
  TERWAY_METADATA_ENDPOINT                   URL of the instance metadata (http://100.100.100.200)
  TERWAY_FAILPOINT                           test hook: the daemon kills itself at this step

Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot run, 2 when flags or configuration are wrong.
`;

const options = {
  config: { type: "string" },
  "cni-conf": { type: "string" },
  "cni-conf-dir": { type: "string" },
  "run-dir": { type: "string" },
  "state-dir": { type: "string" },
  bpffs: { type: "string" },
  "node-name": { type: "string" },
  kubeconfig: { type: "string" },
  objects: { type: "string" },
  "device-plugin-dir": { type: "string" },
  "metrics-listen": { type: "string" },
  "daemon-mode": { type: "string" },
  "rule-form": { type: "string" },
  "cool-down": { type: "string" },
  "learning-window": { type: "string" },
  "log-level": { type: "string" },
  help: { type: "boolean" },
} as const;

/** All problems at once. Reads nothing but what is handed in and the host name. */
export function readFlags(args: readonly string[], env: Readonly<Record<string, string | undefined>>): FlagsResult {
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }));
  } catch (error) {
    return { kind: "error", problems: [error instanceof Error ? error.message : String(error)] };
  }
  if (values.help) return { kind: "help" };
  const problems: string[] = [];
  const oneOf = <T extends string>(name: string, value: string | undefined, allowed: readonly T[]): T | undefined => {
    if (value === undefined || value === "") return undefined;
    const found = allowed.find((one) => one === value.toLowerCase());
    if (found === undefined) problems.push(`${name}: ${JSON.stringify(value)} is none of ${allowed.join(", ")}`);
    return found;
  };
  const url = (name: string): string | undefined => {
    const value = env[name];
    if (!value) return undefined;
    if (!/^https?:$/.test(URL.parse(value)?.protocol ?? "")) problems.push(`${name}: ${JSON.stringify(value)} is no http or https URL`);
    return value;
  };
  const seconds = (name: "cool-down" | "learning-window", otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isFinite(value) || value < 0) problems.push(`--${name}: ${JSON.stringify(values[name])} is no number of seconds`);
    return value;
  };
  const [coolDown, learningWindow] = [seconds("cool-down", 30), seconds("learning-window", 120)];
  const logLevel = oneOf("--log-level", values["log-level"], logLevels) ?? oneOf("LOG_LEVEL", env.LOG_LEVEL, logLevels);
  const [ecs, vpc, sts, metadata] = (["ECS", "VPC", "STS", "METADATA"] as const).map((name) => url(`TERWAY_${name}_ENDPOINT`));
  const oidcRole = oidcRoleOf(env);
  const ruleForm = oneOf("--rule-form", values["rule-form"], ["compact", "per_pod"] as const) ?? "compact";
  const refused = refuseDaemonMode(values["daemon-mode"]);
  if (refused !== undefined) problems.push(refused);
  const named = values["node-name"] || env.NODE_NAME;
  if (values.kubeconfig && values.objects) problems.push("--kubeconfig and --objects: only one of them can say what there is");
  if (values.kubeconfig && !named) problems.push("--kubeconfig: needs NODE_NAME or --node-name, the node's name in the cluster");
  const cluster = clusterPlace(values, env);
  const fromApi = cluster !== undefined && !("directory" in cluster) && values.config === undefined && values["cni-conf"] === undefined;
  const metricsListen = listenAddress(values["metrics-listen"]);
  if (metricsListen === "malformed")
    problems.push(`--metrics-listen: ${JSON.stringify(values["metrics-listen"])} is no [HOST]:PORT, such as :15432 or [::1]:15432`);
  const failpoint = env.TERWAY_FAILPOINT;
  if (problems.length > 0) return { kind: "error", problems };
  return {
    kind: "run",
    flags: {
      ...(fromApi
        ? {}
        : { files: { config: values.config ?? "/etc/eni/eni_conf", cniConf: values["cni-conf"] ?? "/etc/eni/10-terway.conf" } }),
      cniConfDir: values["cni-conf-dir"] ?? "/etc/cni/net.d",
      runDir: values["run-dir"] ?? "/var/run/eni",
      stateDir: values["state-dir"] ?? "/var/lib/cni/terway",
      bpffs: values.bpffs ?? "/sys/fs/bpf",
      nodeName: named || hostname(),
      devicePluginDir: values["device-plugin-dir"] ?? "/var/lib/kubelet/device-plugins",
      namespace: env.POD_NAMESPACE || "kube-system",
      ...(cluster === undefined ? {} : { cluster }),
      ...(metricsListen === undefined || metricsListen === "malformed" ? {} : { metricsListen }),
      ruleForm,
      coolDownMs: coolDown * 1000,
      learningWindowMs: learningWindow * 1000,
      ...(logLevel === undefined ? {} : { logLevel }),
      endpoints: { ...(ecs ? { ecs } : {}), ...(vpc ? { vpc } : {}), ...(sts ? { sts } : {}), ...(metadata ? { metadata } : {}) },
      ...(oidcRole === undefined ? {} : { oidcRole }),
      ...(failpoint ? { failpoint } : {}),
    },
  };
}

/** A pod with a name of its node is meant to use its service account; a program that merely runs inside some pod is not. */
function clusterPlace(
  { kubeconfig, objects }: { readonly kubeconfig?: string | undefined; readonly objects?: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): ClusterPlace | undefined {
  if (objects) return { directory: objects };
  if (kubeconfig) return { kubeconfig };
  return env.KUBERNETES_SERVICE_HOST && env.NODE_NAME ? { inCluster: true } : undefined;
}

function listenAddress(text: string | undefined): Flags["metricsListen"] | "malformed" {
  if (!text) return undefined;
  const [, bracketed, plain = "", digits = ""] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { host: bracketed ?? plain, port } : "malformed";
}

/** Modes of releases long gone, each with what replaces it. Source: upstream's flag of the same name. */
function refuseDaemonMode(mode: string | undefined): string | undefined {
  const exclusive = `label the node ${exclusiveModeLabel}=eniOnly to give each pod a whole ENI`;
  switch ((mode ?? "").toLowerCase()) {
    case "":
    case "enimultiip":
      return undefined;
    case "vpc":
      return `--daemon-mode: VPC mode (addresses of the node's own route entries) is no longer supported; use ENIMultiIP, in which pods share ENIs, or ${exclusive}`;
    case "eniip":
    case "enionly":
    case "enidirectip":
      return `--daemon-mode: ${JSON.stringify(mode)} is no longer supported; use ENIMultiIP, and ${exclusive}`;
    default:
      return `--daemon-mode: ${JSON.stringify(mode)} is unknown; the only mode is ENIMultiIP`;
  }
}
