import { ctrlConfigFileSchema } from "@terway/controlplane";
import { cniConfFileSchema, eniConfFileSchema } from "@terway/model";
import { z } from "zod";

const text = z.string();
const flag = z.boolean();
const name = z.string().regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
const strings = z.record(z.string(), z.string());
const object = z.record(z.string(), z.unknown());
const list = z.array(object);
const path = z.string().regex(/^\//);
const said = <T extends z.ZodType>(schema: T, meaning: string) => schema.describe(meaning);

/**
 * The values of the chart: `values.schema.json` and the table of its README are made of them. What the daemon reads has the daemon's own schema, so a
 * key that it does not know is refused when the chart is installed and not when the first node starts.
 */
export const chartValuesSchema = z.strictObject({
  image: z.strictObject({
    repository: said(text.min(1), "Where the image is; it is for amd64 and arm64."),
    tag: said(text, "The chart's appVersion when empty."),
    digest: said(z.string().regex(/^$|^sha256:[0-9a-f]{64}$/), "Pins the image whatever the tag says."),
    pullPolicy: said(z.enum(["Always", "IfNotPresent", "Never"]), "When kubelet fetches the image."),
    pullSecrets: said(z.array(z.strictObject({ name })), "Secrets with which it may."),
  }),
  selectorLabel: said(
    z.enum(["terway", "terway-eniip"]),
    "Value of the label `app` by which the DaemonSet knows its pods. Fixed once installed: `terway-eniip` to upgrade an installation of upstream in place.",
  ),
  eniConf: said(
    z.strictObject(eniConfFileSchema.shape),
    "`eni_conf`: every key of the [reference](../../docs/reference/eni-conf.md), checked. Followed at run time.",
  ),
  cniConf: said(
    z.strictObject(cniConfFileSchema.shape),
    "`10-terway.conf`: likewise. A change starts the daemons again, one after another.",
  ),
  cniPlugins: said(
    z.array(z.looseObject({ type: text.min(1) })),
    "Plugins of `10-terway.conflist`, for [chains](../../docs/guides/chaining.md); with any, `cniConf` gives only `name` and `cniVersion`.",
  ),
  nodeConfigs: said(
    z.record(name, z.strictObject(eniConfFileSchema.shape)),
    "`eni_conf` of single nodes, as a merge patch (RFC 7396): a node labelled `terway-config=NAME` uses `NAME`.",
  ),
  networkPolicy: z.strictObject({ enabled: said(flag, "NetworkPolicy is enforced (`disable_network_policy` in eni-config).") }),
  credentials: z.strictObject({
    accessKeyId: said(text, "AccessKey of a RAM user; a Secret is made of it. Without credentials the RAM role of the instance is used."),
    accessKeySecret: said(text, "Its secret."),
    existingSecret: said(text, "A Secret with the keys `access-key-id` and `access-key-secret` instead."),
    rrsa: z.strictObject({
      roleArn: said(
        text,
        "RAM role of the service account (RRSA) instead of an AccessKey: its token is mounted, and exchanged for short-lived credentials.",
      ),
      oidcProviderArn: said(text, "The cluster's OIDC provider, which the role trusts."),
    }),
    allowInConfigMap: said(
      flag,
      "Lets `eniConf` hold `access_key` and `access_secret`, where everybody who may read ConfigMaps sees them.",
    ),
  }),
  metrics: z.strictObject({
    port: said(z.int().min(1).max(65_535), "Port of the node for `/metrics` and the probes."),
    service: said(flag, "A headless Service `terway-metric` for scrapers that go by Services."),
    podMonitor: said(flag, "A PodMonitor; needs the Prometheus operator."),
    podMonitorLabels: said(strings, "Labels by which the operator selects PodMonitors."),
    interval: said(z.string().regex(/^\d+(ms|s|m)$/), "How often it scrapes."),
  }),
  controlPlane: z.strictObject({
    enabled: said(flag, "Installs [terway-controlplane](../../docs/guides/control-plane.md); needs `config.clusterID` and `config.vpcID`."),
    replicas: said(z.int().min(1), "One leads, the others answer webhooks and follow."),
    config: said(
      z.strictObject(ctrlConfigFileSchema.shape),
      "`ctrl-config.yaml`: every key of the [reference](../../docs/reference/ctrl-config.md), checked. `degradation` is followed at run time.",
    ),
    webhookFailurePolicy: said(
      z.enum(["Auto", "Ignore", "Fail"]),
      "What happens to pods while no replica answers. `Auto`: those whose annotations name a network wait, all others start (before Kubernetes 1.30: `Ignore`). Pods of kube-system and of the node's own network are never asked about.",
    ),
    webhookTimeoutSeconds: said(z.int().min(1).max(30), "How long the API server waits for an answer."),
    extraEnv: said(list, "Further environment, such as `TERWAY_ECS_ENDPOINT`."),
    priorityClassName: said(text, "Priority of its pods."),
    resources: said(object, "Its requests and limits."),
    tolerations: said(list, "All taints by default."),
    nodeSelector: said(strings, "Demands on its nodes."),
    podAnnotations: said(strings, "Further annotations of its pods."),
    serviceAccountAnnotations: said(strings, "Annotations of its service account."),
  }),
  logLevel: said(z.enum(["trace", "debug", "info", "warn", "error"]), "Verbosity of the daemon."),
  coolDownSeconds: said(z.int().min(0), "Rest of a released address before it is given out again."),
  ruleForm: said(z.enum(["compact", "per_pod"]), "Form of the node's routing rules, see `terwayd --help`."),
  extraArgs: said(z.array(text), "Further flags of terwayd."),
  extraEnv: said(list, "Further environment, such as `TERWAY_ECS_ENDPOINT`."),
  priorityClassName: said(text, "Priority of the daemon's pods."),
  terminationGracePeriodSeconds: said(z.int().min(8), "Calls under way get 5 s to end."),
  maxUnavailable: said(z.union([z.int().min(1), z.string().regex(/^\d+%$/)]), "Daemons that are replaced at the same time."),
  resources: said(object, "Requests and limits of the daemon."),
  tolerations: said(list, "All taints by default: nothing runs on a node without its network."),
  nodeSelector: said(strings, "Further demands on nodes."),
  podAnnotations: said(strings, "Further annotations of the daemon's pods."),
  podLabels: said(strings, "Further labels."),
  serviceAccount: z.strictObject({
    create: said(flag, "Whether the chart makes it."),
    name: said(name, "Its name."),
    annotations: said(strings, "Its annotations."),
  }),
  rbac: z.strictObject({ create: said(flag, "Whether the chart makes roles and bindings.") }),
  admissionPolicy: z.strictObject({
    enabled: said(
      flag,
      "A ValidatingAdmissionPolicy: a node's daemon changes its own node and the pods on it only. Kubernetes 1.30 and later.",
    ),
  }),
  customResourceDefinitions: z.strictObject({
    install: said(flag, "Whether the chart brings and upgrades the definitions; `false` where another installation owns them."),
  }),
  hostPaths: z.strictObject({
    cniBin: said(path, "Where the runtime looks for CNI executables."),
    cniConf: said(path, "Where it reads conflists."),
    kubelet: said(path, "kubelet's directory."),
    state: said(path, "The daemon's journal; must outlive a reboot."),
    run: said(path, "Sockets; the CNI executable looks for `/var/run/eni/terway.socket`."),
    netns: said(path, "Where the runtime keeps network namespaces."),
    bpffs: said(path, "A mounted BPF file system."),
  }),
});
