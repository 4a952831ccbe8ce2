import { type KubernetesCluster, run } from "@terway/lab";
import { nameServiceImage } from "./images.ts";

/** The address that kubelets give pods as their name server. */
const clusterIp = "172.16.0.10";
const labels = { "k8s-app": "kube-dns" };
const metadata = { name: "coredns", namespace: "kube-system" };

/** No forwarding: the lab has no Internet, and what is outside the cluster's domain is refused at once. */
const corefile = `.:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    ttl 5
  }
  cache 5
}
`;

/** CoreDNS as the Service `kube-dns`, with the labels and names that clusters give it; resolves when it is Ready. */
export async function startNameService(cluster: KubernetesCluster): Promise<void> {
  const kubectl = cluster.wrapper("kubectl");
  await run([kubectl, "apply", "-f", "-"], {
    input: JSON.stringify({ apiVersion: "v1", kind: "List", items: objects() }),
    timeoutMs: 60_000,
  });
  await run([kubectl, "-n", metadata.namespace, "rollout", "status", "deployment/coredns", "--timeout=120s"], { timeoutMs: 130_000 });
}

function objects(): object[] {
  const rules = [
    { apiGroups: [""], resources: ["endpoints", "services", "pods", "namespaces"], verbs: ["list", "watch"] },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
  ];
  const probe = (path: string, port: number) => ({ httpGet: { path, port }, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 15 });
  const container = {
    name: "coredns",
    image: nameServiceImage,
    imagePullPolicy: "Never",
    args: ["-conf", "/etc/coredns/Corefile"],
    volumeMounts: [{ name: "config", mountPath: "/etc/coredns" }],
    readinessProbe: probe("/ready", 8181),
    livenessProbe: probe("/health", 8080),
  };
  const spec = {
    serviceAccountName: "coredns",
    priorityClassName: "system-cluster-critical",
    terminationGracePeriodSeconds: 5,
    dnsPolicy: "Default",
    containers: [container],
    volumes: [{ name: "config", configMap: { name: "coredns" } }],
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", labelSelector: { matchLabels: labels } },
    ],
  };
  const template = { metadata: { labels }, spec };
  const port = (name: string, protocol: string) => ({ name, protocol, port: 53, targetPort: 53 });
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "coredns" }, rules },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "coredns" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "coredns" },
      subjects: [{ kind: "ServiceAccount", ...metadata }],
    },
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { Corefile: corefile } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { ...metadata, labels },
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "kube-dns", namespace: metadata.namespace, labels },
      spec: { clusterIP: clusterIp, selector: labels, ports: [port("dns", "UDP"), port("dns-tcp", "TCP")] },
    },
  ];
}
