import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubernetesPrograms, run } from "@terway/lab";
import { loadAll } from "js-yaml";
import { z } from "zod";

export const chart = "helm/terway";

const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.unknown().optional(),
  data: z.record(z.string(), z.string()).optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Values as somebody would hand them in, and for which Kubernetes. */
export interface Case {
  readonly values: object;
  readonly kubernetes?: string;
}

function withControlPlane({ config = {}, ...more }: { config?: object; [key: string]: unknown } = {}): object {
  return { enabled: true, config: { clusterID: "c1", vpcID: "vpc-1", ...config }, ...more };
}

/** Each way in which the templates differ, once. */
export const cases: Readonly<Record<string, Case>> = {
  "nothing set": { values: {} },
  "in place of upstream": { values: { selectorLabel: "terway-eniip", customResourceDefinitions: { install: false } } },
  "a chain, a digest, a mirror": {
    values: {
      cniPlugins: [{ type: "terway" }, { type: "portmap", capabilities: { portMappings: true } }],
      image: { repository: "mirror.example/terway", digest: `sha256:${"0".repeat(64)}`, pullSecrets: [{ name: "mirror" }] },
    },
  },
  "an AccessKey and two kinds of node": {
    values: {
      credentials: { accessKeyId: "LTAI-id", accessKeySecret: "secret" },
      nodeConfigs: { gpu: { max_pool_size: 20, vswitches: { "cn-a": ["vsw-gpu"] } }, small: { max_eni: 1 } },
    },
  },
  "somebody's Secret, the add-on's token": {
    values: { credentials: { existingSecret: "mine" }, eniConf: { credential_path: "/var/addon/token-config" } },
  },
  "the role of a service account": {
    values: { credentials: { rrsa: { roleArn: "acs:ram::1:role/terway", oidcProviderArn: "acs:ram::1:oidc-provider/ack-rrsa-c1" } } },
  },
  "a control plane with the role of its service account": {
    values: {
      credentials: { rrsa: { roleArn: "acs:ram::1:role/terway", oidcProviderArn: "acs:ram::1:oidc-provider/ack-rrsa-c1" } },
      controlPlane: { enabled: true, config: { clusterID: "c1", vpcID: "vpc-1" } },
    },
  },
  "nothing but the daemon": {
    values: {
      serviceAccount: { create: false, name: "other" },
      rbac: { create: false },
      admissionPolicy: { enabled: false },
      metrics: { service: false },
      networkPolicy: { enabled: false },
    },
  },
  extras: {
    values: {
      podAnnotations: { a: "b" },
      podLabels: { c: "d" },
      nodeSelector: { e: "f" },
      extraArgs: ["--log-level=debug"],
      extraEnv: [{ name: "TERWAY_ECS_ENDPOINT", value: "http://ecs.example" }],
      maxUnavailable: 2,
    },
  },
  "a control plane": { values: { controlPlane: withControlPlane(), credentials: { existingSecret: "mine" } } },
  "one replica, whose webhooks pods wait for": {
    values: {
      controlPlane: withControlPlane({
        replicas: 1,
        webhookFailurePolicy: "Fail",
        config: { leaderElection: false, metricsBindAddress: "0" },
      }),
    },
  },
  "a control plane without webhooks on the lowest Kubernetes": {
    values: { controlPlane: withControlPlane({ config: { disableWebhook: true } }) },
    kubernetes: "1.25.0",
  },
  "addresses from the control plane": {
    values: { eniConf: { ipam_type: "crd" }, controlPlane: withControlPlane(), credentials: { existingSecret: "mine" } },
  },
  "addresses from the control plane, for some nodes": {
    values: {
      nodeConfigs: { central: { ipam_type: "crd" } },
      controlPlane: withControlPlane({ config: { controllers: ["-pod"] } }),
      credentials: { existingSecret: "mine" },
    },
  },
  "the lowest Kubernetes": { values: {}, kubernetes: "1.25.0" },
};

export async function helm(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const program = await kubernetesPrograms();
  return (await run([program("helm"), ...args], { env, timeoutMs: 120_000 })).stdout;
}

/** A file with these values, for as long as `work` takes. */
export async function withValues<T>(values: object, work: (file: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "terway-values-"));
  try {
    const file = join(directory, "values.json");
    await writeFile(file, JSON.stringify(values));
    return await work(file);
  } finally {
    await rm(directory, { recursive: true });
  }
}

export function template({ values, kubernetes = "1.36.0" }: Case, namespace = "kube-system"): Promise<string> {
  return withValues(values, (file) => helm(["template", "terway", chart, "-n", namespace, "-f", file, "--kube-version", kubernetes]));
}

export function manifestsOf(text: string): Manifest[] {
  return loadAll(text).flatMap((document) => (document === null || document === undefined ? [] : [manifestSchema.parse(document)]));
}

export function only(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name));
  const [first] = found;
  if (first === undefined || found.length > 1) throw new Error(`${found.length} objects of kind ${kind} ${name ?? ""}`);
  return first;
}
