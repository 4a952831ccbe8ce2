import type { Stored } from "@terway/kube";
import { canonicalAddress, namespaceObjectSchema } from "@terway/model";
import { type NamedPort, type NetworkPolicy, parseNetworkPolicy, type ShownPod } from "@terway/policy";
import { z } from "zod";
import type { Kind } from "../cluster/cluster.ts";
import { kindOf } from "../cluster/kinds.ts";

const podIpsAnnotation = "k8s.aliyun.com/pod-ips";

/** What is kept of an object to tell its versions apart. */
const metadataShape = {
  namespace: z.string().min(1),
  name: z.string().min(1),
  uid: z.string().default(""),
  resourceVersion: z.string().default(""),
};
const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

const podSchema = z.object({
  metadata: z.object({ ...metadataShape, labels: texts, annotations: texts, creationTimestamp: z.string().nullish() }),
  spec: z
    .object({
      hostNetwork: z.boolean().nullish(),
      containers: z.array(containerSchema()).nullish(),
      initContainers: z.array(containerSchema().extend({ restartPolicy: z.string().nullish() })).nullish(),
      ephemeralContainers: z.array(containerSchema()).nullish(),
    })
    .nullish(),
  status: z
    .object({
      phase: z.string().nullish(),
      podIP: z.string().nullish(),
      podIPs: z.array(z.object({ ip: z.string().nullish() })).nullish(),
    })
    .nullish(),
});

function containerSchema() {
  const port = z.object({ name: z.string().nullish(), protocol: z.enum(["TCP", "UDP", "SCTP"]).nullish(), containerPort: z.number() });
  const capabilities = z.object({ add: z.array(z.string()).nullish() });
  const securityContext = z.object({ privileged: z.boolean().nullish(), capabilities: capabilities.nullish() });
  return z.object({ ports: z.array(port).nullish(), securityContext: securityContext.nullish() });
}

/** A pod of any node, as policy sees it. */
export type PolicyPodObject = Stored & ShownPod;

/** A NetworkPolicy that the API server's checks let pass. */
export interface PolicyObject extends Stored {
  readonly policy: NetworkPolicy;
}

export const policyPods: Kind<PolicyPodObject> = {
  resource: { apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true },
  prune: (object) => {
    const { metadata, spec, status } = podSchema.parse(object);
    const { namespace, name, uid, resourceVersion, labels, annotations, creationTimestamp } = metadata;
    const shown = [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)].flatMap((ip) => ip ?? []);
    // Written when the addresses are allocated; the status follows when the pod runs.
    const written = (annotations[podIpsAnnotation] ?? "").split(",");
    const addresses = new Set([...written, ...shown].flatMap((text) => canonicalAddress(text.trim()) ?? []));
    return {
      metadata: { namespace, name, uid, resourceVersion },
      uid,
      netAdmin: isNetAdmin(spec),
      pod: {
        ...{ namespace, name, labels },
        ...(creationTimestamp == null ? {} : { created: creationTimestamp }),
        addresses: [...addresses].toSorted(),
        ports: portsOfPod(spec),
        hostNetwork: spec?.hostNetwork === true,
        finished: status?.phase === "Succeeded" || status?.phase === "Failed",
      },
    };
  },
};

type Spec = z.infer<typeof podSchema>["spec"];

/** Of containers, and of those init containers that go on running (sidecars). */
function portsOfPod(spec: Spec): NamedPort[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...(spec?.containers ?? []), ...sidecars].flatMap(({ ports }) =>
    (ports ?? []).flatMap(({ name, protocol, containerPort }) =>
      name ? [{ name, protocol: protocol ?? ("TCP" as const), port: containerPort }] : [],
    ),
  );
}

const netAdminNames = ["NET_ADMIN", "CAP_NET_ADMIN", "ALL"];

function isNetAdmin(spec: Spec): boolean {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? []), ...(spec?.ephemeralContainers ?? [])];
  return containers.some(({ securityContext }) => {
    const added = securityContext?.capabilities?.add ?? [];
    return securityContext?.privileged === true || added.some((name) => netAdminNames.includes(name.toUpperCase()));
  });
}

export const policyNamespaces = kindOf(
  { apiVersion: "v1", plural: "namespaces", kind: "Namespace", namespaced: false },
  namespaceObjectSchema,
);

/** What the API server would refuse is refused here too, whoever wrote it: thrown with every field that is wrong. */
export const networkPolicies: Kind<PolicyObject> = {
  resource: { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies", kind: "NetworkPolicy", namespaced: true },
  prune: (object) => {
    const { metadata } = z.object({ metadata: z.object(metadataShape) }).parse(object);
    const parsed = parseNetworkPolicy(object);
    if (!parsed.ok) {
      const problems = parsed.issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
      throw new Error(`${metadata.namespace}/${metadata.name} is not enforced: ${problems}`);
    }
    const { namespace, name, uid, resourceVersion } = metadata;
    return { metadata: { namespace, name, uid, resourceVersion }, policy: parsed.policy };
  },
};
