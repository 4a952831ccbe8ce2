import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { type OidcRole, oidcRoleOf } from "@terway/cloud";
import type { ClientSource } from "@terway/kube";
import { type LogLevel, logLevels } from "./log.ts";

export interface Flags {
  readonly config: string;
  readonly credential: string;
  readonly api: ClientSource;
  /** Names this replica in the lease and in logs. */
  readonly identity: string;
  readonly logLevel: LogLevel;
  readonly endpoints: { readonly ecs?: string; readonly vpc?: string; readonly sts?: string; readonly metadata?: string };
  /** The RAM role of the service account; used where the credentials file names nothing. */
  readonly oidcRole?: OidcRole;
}

export type FlagsResult =
  | { readonly kind: "run"; readonly flags: Flags }
  | { readonly kind: "help" }
  | { readonly kind: "error"; readonly problems: readonly string[] };

export const helpText = `terway-controlplane - ENIs of single pods, fixed addresses, PodNetworking and their webhooks

Usage: terway-controlplane [flags]

  --config PATH         ctrl-config.yaml                     (/etc/config/ctrl-config.yaml)
  --credential PATH     ctrl-secret.yaml; may be missing     (/etc/credential/ctrl-secret.yaml)
  --kubeconfig PATH     file that names the API server and the credentials  (in a pod: its service account)
  --feature-gates LIST  accepted for compatibility; none is known
  --v NUMBER            4: debug, 6: trace                   (LOG_LEVEL, else info)
  --help

One dash is as good as two. Environment:
  POD_NAME, NODE_NAME, LOG_LEVEL
  TERWAY_ECS_ENDPOINT, TERWAY_VPC_ENDPOINT, TERWAY_STS_ENDPOINT   URL of the OpenAPI, instead of the region's own
  TERWAY_METADATA_ENDPOINT                                        URL of the instance metadata (http://100.100.100.200)
  ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN, ALIBABA_CLOUD_OIDC_TOKEN_FILE
                                                                  RAM role of the service account (RRSA)

Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot run or leads no more, 2 when flags or configuration are wrong.
`;

const options = {
  config: { type: "string" },
  credential: { type: "string" },
  kubeconfig: { type: "string" },
  "feature-gates": { type: "string" },
  v: { type: "string" },
  help: { type: "boolean" },
} as const;

/** All problems at once. Reads nothing but what is handed in and the host name. */
export function readFlags(args: readonly string[], env: Readonly<Record<string, string | undefined>>): FlagsResult {
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];
  try {
    // Go's flag package, which upstream uses, knows one dash.
    const twoDashes = args.map((arg) => (/^-[a-z]/.test(arg) ? `-${arg}` : arg));
    ({ values } = parseArgs({ args: twoDashes, options, strict: true, allowPositionals: false }));
  } catch (error) {
    return { kind: "error", problems: [error instanceof Error ? error.message : String(error)] };
  }
  if (values.help) return { kind: "help" };
  const problems: string[] = [];
  const url = (name: string): string | undefined => {
    const value = env[name];
    if (!value) return undefined;
    if (!/^https?:$/.test(URL.parse(value)?.protocol ?? "")) problems.push(`${name}: ${JSON.stringify(value)} is no http or https URL`);
    return value;
  };
  const [ecs, vpc, sts, metadata] = (["ECS", "VPC", "STS", "METADATA"] as const).map((name) => url(`TERWAY_${name}_ENDPOINT`));
  const oidcRole = oidcRoleOf(env);
  const verbosity = Number(values.v ?? "0");
  if (!Number.isInteger(verbosity)) problems.push(`--v: ${JSON.stringify(values.v)} is no number`);
  const named = logLevels.find((level) => level === env.LOG_LEVEL?.toLowerCase());
  if (env.LOG_LEVEL && named === undefined) problems.push(`LOG_LEVEL: ${JSON.stringify(env.LOG_LEVEL)} is none of ${logLevels.join(", ")}`);
  if (!values.kubeconfig && !env.KUBERNETES_SERVICE_HOST)
    problems.push("no API server: give --kubeconfig, or run as a pod with a service account");
  if (problems.length > 0) return { kind: "error", problems };
  return {
    kind: "run",
    flags: {
      config: values.config ?? "/etc/config/ctrl-config.yaml",
      credential: values.credential ?? "/etc/credential/ctrl-secret.yaml",
      api: values.kubeconfig ? { kubeconfig: values.kubeconfig } : { inCluster: true },
      identity: env.POD_NAME || hostname(),
      logLevel: verbosity >= 6 ? "trace" : verbosity >= 4 ? "debug" : (named ?? "info"),
      endpoints: { ...(ecs ? { ecs } : {}), ...(vpc ? { vpc } : {}), ...(sts ? { sts } : {}), ...(metadata ? { metadata } : {}) },
      ...(oidcRole === undefined ? {} : { oidcRole }),
    },
  };
}
