import { readFile } from "node:fs/promises";
import { parseCtrlConfig } from "@terway/controlplane";
import { parseCniConf, parseEniConf } from "@terway/model";
import { loadAll } from "js-yaml";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { readFlags } from "../../../ts/daemon/src/flags.ts";
import { cases, chart, helm, manifestsOf, only, template, withValues } from "./helm.ts";

const podSpecSchema = z.object({
  template: z.object({
    metadata: z.object({ labels: z.record(z.string(), z.string()), annotations: z.record(z.string(), z.string()) }),
    spec: z.looseObject({
      initContainers: z.array(z.looseObject({ command: z.array(z.string()) })),
      containers: z.array(
        z.looseObject({
          name: z.string(),
          args: z.array(z.string()),
          securityContext: z.looseObject({}),
          volumeMounts: z.array(z.looseObject({ name: z.string() })),
        }),
      ),
      volumes: z.array(z.looseObject({ name: z.string() })),
    }),
  }),
  selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
});

async function rendered(name: keyof typeof cases) {
  const one = cases[name];
  if (one === undefined) throw new Error(`no case ${name}`);
  const manifests = manifestsOf(await template(one));
  return { manifests, daemon: podSpecSchema.parse(only(manifests, "DaemonSet", "terway-eniip").spec) };
}

describe.each(Object.keys(cases))("%s", (name) => {
  test("lints, and what it renders is what the daemon understands, without a warning", async () => {
    await withValues(cases[name]?.values ?? {}, (file) => helm(["lint", "--strict", chart, "-f", file]));
    const { manifests, daemon } = await rendered(name);
    const [container] = daemon.template.spec.containers;
    const flags = readFlags(container?.args ?? [], { NODE_NAME: "node-1" });
    expect(flags).toMatchObject({ kind: "run" });
    // Listeners of the chart's own probes and of Prometheus.
    expect(flags.kind === "run" && flags.flags.metricsListen).toEqual({ host: "", port: 15_432 });
    const config = only(manifests, "ConfigMap", "eni-config").data ?? {};
    expect(parseEniConf(config.eni_conf ?? "")).toMatchObject({ ok: true, warnings: [] });
    for (const text of [config["10-terway.conf"], config["10-terway.conflist"]]) {
      if (text === undefined) continue;
      const conf = JSON.parse(text);
      for (const plugin of conf.plugins ?? [conf])
        if (plugin.type === "terway") expect(parseCniConf(plugin)).toMatchObject({ ok: true, warnings: [] });
    }
    expect(Object.keys(config).filter((key) => key.startsWith("10-terway"))).toHaveLength(1);
    for (const key of Object.entries(daemon.selector.matchLabels))
      expect(Object.entries(daemon.template.metadata.labels)).toContainEqual(key);
    const volumes = daemon.template.spec.volumes.map((volume) => volume.name);
    for (const mount of container?.volumeMounts ?? []) expect(volumes).toContain(mount.name);
  });
});

describe("the control plane", () => {
  const planeSchema = z.object({
    replicas: z.number(),
    template: z.object({
      spec: z.looseObject({ containers: z.array(z.looseObject({ command: z.array(z.string()), securityContext: z.looseObject({}) })) }),
    }),
  });

  test.each(["a control plane", "one replica, whose webhooks pods wait for", "a control plane without webhooks on the lowest Kubernetes"])(
    "%s: its configuration is what it understands, without a warning; it is not privileged",
    async (name) => {
      const { manifests } = await rendered(name);
      const text = only(manifests, "ConfigMap", "terway-controlplane").data?.["ctrl-config.yaml"] ?? "";
      expect(parseCtrlConfig(text)).toMatchObject({ ok: true, warnings: [] });
      const { template: pod } = planeSchema.parse(only(manifests, "Deployment", "terway-controlplane").spec);
      expect(pod.spec).toMatchObject({ securityContext: { runAsNonRoot: true }, serviceAccountName: "terway-controlplane" });
      expect(pod.spec.containers[0]?.securityContext).toMatchObject({ readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
    },
  );

  test.each([
    ["addresses from the control plane", ["multi-ip-node"], false],
    ["addresses from the control plane, for some nodes", ["-pod", "multi-ip-node"], true],
    ["a control plane", undefined, true],
  ] as const)("%s: its controller runs, and nodes have credentials only where they call the cloud", async (name, controllers, onNodes) => {
    const { manifests, daemon } = await rendered(name);
    const config = z
      .looseObject({ centralizedIPAM: z.boolean().optional(), controllers: z.array(z.string()).optional() })
      .parse(loadAll(only(manifests, "ConfigMap", "terway-controlplane").data?.["ctrl-config.yaml"] ?? "")[0]);
    expect(config.controllers).toEqual(controllers);
    expect(config.centralizedIPAM).toBe(controllers === undefined ? undefined : true);
    const { template: pod } = z
      .object({ template: z.object({ spec: z.object({ volumes: z.array(z.looseObject({ name: z.string() })) }) }) })
      .parse(only(manifests, "Deployment", "terway-controlplane").spec);
    expect(pod.spec.volumes.map((volume) => volume.name)).toContain("credentials");
    expect(daemon.template.spec.volumes.some((volume) => volume.name === "credentials")).toBe(onNodes);
  });

  test("the role of the service account is the control plane's as it is the daemon's", async () => {
    const { manifests, daemon } = await rendered("a control plane with the role of its service account");
    const { template: pod } = planeSchema.parse(only(manifests, "Deployment", "terway-controlplane").spec);
    const words = [/ALIBABA_CLOUD_ROLE_ARN/g, /ALIBABA_CLOUD_OIDC_TOKEN_FILE/g, /"name":"rrsa-token"/g, /"audience":"sts.aliyuncs.com"/g];
    const counts = (spec: object) => words.map((word) => JSON.stringify(spec).match(word)?.length ?? 0);
    expect(counts(pod.spec)).toEqual([1, 1, 2, 1]);
    expect(counts(daemon.template.spec)).toEqual([1, 1, 2, 1]);
  });

  test("kube-system is never asked about, and by default only pods that name a network wait for an answer", async () => {
    const { manifests } = await rendered("a control plane");
    const webhookSchema = z.array(
      z.looseObject({
        name: z.string(),
        failurePolicy: z.string(),
        namespaceSelector: z.unknown().optional(),
        matchConditions: z.unknown().optional(),
      }),
    );
    const pods = webhookSchema.parse(only(manifests, "MutatingWebhookConfiguration").webhooks).filter(({ name }) => name.includes("pods."));
    expect(pods.map(({ failurePolicy }) => failurePolicy)).toEqual(["Fail", "Ignore"]);
    for (const { namespaceSelector } of pods)
      expect(JSON.stringify(namespaceSelector)).toContain(
        '{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["kube-system"]}',
      );
    const old = await rendered("a control plane without webhooks on the lowest Kubernetes");
    expect(old.manifests.filter(({ kind }) => kind.endsWith("WebhookConfiguration"))).toEqual([]);
  });

  test("none is installed unless it is asked for", async () => {
    expect((await rendered("nothing set")).manifests.map(({ kind }) => kind)).not.toContain("Deployment");
  });
});

test("what users' documents rely on: names, container, labels", async () => {
  const { manifests, daemon } = await rendered("nothing set");
  expect(daemon.selector.matchLabels).toEqual({ app: "terway" });
  expect(daemon.template.spec.containers.map((container) => container.name)).toEqual(["terway"]);
  expect(daemon.template.metadata.annotations).toMatchObject({ "kubectl.kubernetes.io/default-container": "terway" });
  expect(only(manifests, "ConfigMap").metadata.name).toBe("eni-config");
  expect((await rendered("in place of upstream")).daemon.selector.matchLabels).toEqual({ app: "terway-eniip" });
});

test("the container is not privileged", async () => {
  const { daemon } = await rendered("nothing set");
  expect(daemon.template.spec.containers[0]?.securityContext).toMatchObject({
    privileged: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "SYS_ADMIN"] },
  });
});

test("what an old API server does not know is not rendered for it", async () => {
  const kinds = async (kubernetes: string) => manifestsOf(await template({ values: {}, kubernetes })).map((manifest) => manifest.kind);
  expect(await kinds("1.29.9")).not.toContain("ValidatingAdmissionPolicy");
  expect(await kinds("1.30.0")).toContain("ValidatingAdmissionPolicy");
  const old = await template({ values: {}, kubernetes: "1.29.9" });
  expect(old).toContain("container.apparmor.security.beta.kubernetes.io/terway: unconfined");
  expect(old).not.toContain("appArmorProfile");
  await expect(template({ values: {}, kubernetes: "1.24.0" })).rejects.toThrow(/kubeVersion/);
});

test("one node's configuration", async () => {
  const { manifests } = await rendered("an AccessKey and two kinds of node");
  expect(JSON.parse(only(manifests, "ConfigMap", "gpu").data?.eni_conf ?? "")).toEqual({
    max_pool_size: 20,
    vswitches: { "cn-a": ["vsw-gpu"] },
  });
  expect(only(manifests, "ConfigMap", "eni-config").data?.eni_conf).not.toContain("LTAI-id");
  expect(only(manifests, "Secret")).toMatchObject({ stringData: { "access-key-id": "LTAI-id", "access-key-secret": "secret" } });
});

test.each([
  ["a key that no daemon knows", { eniConf: { max_pol_size: 3 } }, /max_pol_size/],
  ["a wrong type", { eniConf: { max_pool_size: "3" } }, /eniConf\/max_pool_size/],
  ["a wrong value of one node", { nodeConfigs: { gpu: { min_pool_size: -1 } } }, /min_pool_size/],
  ["credentials in the ConfigMap", { eniConf: { access_key: "a", access_secret: "b" } }, /existingSecret/],
  ["half of an AccessKey", { credentials: { accessKeyId: "a" } }, /both or none/],
  ["half of a role", { credentials: { rrsa: { roleArn: "a" } } }, /both or none/],
  ["a role beside a Secret", { credentials: { rrsa: { roleArn: "a", oidcProviderArn: "b" }, existingSecret: "c" } }, /only one of them/],
  ["two sources of an AccessKey", { credentials: { accessKeyId: "a", accessKeySecret: "b", existingSecret: "c" } }, /only one/],
  ["a control plane of no cluster", { controlPlane: { enabled: true } }, /controlPlane.config.clusterID/],
  [
    "two replicas that both lead",
    { controlPlane: { enabled: true, config: { clusterID: "c", vpcID: "v", leaderElection: false } } },
    /controlPlane.config.leaderElection/,
  ],
  ["addresses from a control plane that is not there", { eniConf: { ipam_type: "crd" } }, /controlPlane.enabled/],
  [
    "addresses from a controller that is turned off",
    {
      eniConf: { ipam_type: "crd" },
      controlPlane: { enabled: true, config: { clusterID: "c", vpcID: "v", controllers: ["-multi-ip-node"] } },
    },
    /multi-ip-node/,
  ],
  ["a selector of no release", { selectorLabel: "mine" }, /selectorLabel/],
  ["a node's configuration in place of all", { nodeConfigs: { "eni-config": {} } }, /belongs to the configuration of all nodes/],
])("%s is refused with the key named", async (_, values, message) => {
  await expect(template({ values })).rejects.toThrow(message);
});

test("another namespace is refused: nobody would find eni-config there", async () => {
  await expect(template({ values: {} }, "terway-system")).rejects.toThrow(/kube-system/);
});

test("terway-metric.yml is the chart's Service, for people without Helm", async () => {
  const { manifests } = await rendered("nothing set");
  const [plain, ...more] = loadAll(await readFile("helm/terway-metric.yml", "utf8"));
  expect(more).toEqual([]);
  const { spec, metadata, kind } = only(manifests, "Service", "terway-metric");
  expect(plain).toMatchObject({
    kind,
    spec: { ...(spec as object), ports: [{ name: "metrics", port: 15_432, targetPort: 15_432 }] },
    metadata: { name: metadata.name, namespace: "kube-system" },
  });
});
