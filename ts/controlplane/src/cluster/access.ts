import type { Access } from "@terway/kube";

const own = "network.alibabacloud.com";
const namespace = "kube-system";
const name = "terway-controlplane";

/** Everything that the control plane asks of the API server. */
export const controlPlaneAccess: readonly Access[] = [
  {
    apiGroup: "",
    resource: "pods",
    verbs: ["get", "list", "watch", "patch"],
    why: "What pods ask for, and whether one is really gone; annotation of one that falls back to a shared address.",
  },
  {
    apiGroup: "",
    resource: "nodes",
    verbs: ["list", "watch", "patch"],
    why: "Instance, zone, labels; annotation `k8s.aliyun.com/trunk-on`.",
  },
  { apiGroup: "", resource: "nodes/status", verbs: ["patch"], why: "Condition `ControlPlaneDegraded`." },
  {
    apiGroup: "",
    resource: "namespaces",
    verbs: ["list", "watch"],
    why: "Labels that PodNetworkings select by, and the annotations of the documents.",
  },
  { apiGroup: "", resource: "configmaps", verbs: ["list", "watch"], namespace, why: "`eni-config`, and those that nodes' labels name." },
  {
    apiGroup: "",
    resource: "events",
    verbs: ["create", "patch"],
    why: "Events of pods, nodes and our own kinds, see [events](events.md).",
  },
  { apiGroup: own, resource: "podenis", verbs: ["get", "list", "watch", "create", "patch", "delete"], why: "ENIs of single pods." },
  { apiGroup: own, resource: "podenis/status", verbs: ["patch"], why: "Their phases." },
  {
    apiGroup: own,
    resource: "networkinterfaces",
    verbs: ["get", "list", "watch", "create", "patch", "delete"],
    why: "Each of those ENIs.",
  },
  { apiGroup: own, resource: "networkinterfaces/status", verbs: ["patch"], why: "Where it is." },
  { apiGroup: own, resource: "podnetworkings", verbs: ["get", "list", "watch"], why: "What pods that match shall get." },
  { apiGroup: own, resource: "podnetworkings/status", verbs: ["patch"], why: "Whether it can be used." },
  { apiGroup: own, resource: "nodes", verbs: ["get", "list", "watch", "create", "patch"], why: "Centralized IPAM." },
  { apiGroup: own, resource: "nodes/status", verbs: ["patch"], why: "Centralized IPAM." },
  { apiGroup: own, resource: "noderuntimes", verbs: ["get", "list", "watch"], why: "Centralized IPAM: what nodes have torn down." },
  { apiGroup: "coordination.k8s.io", resource: "leases", verbs: ["create"], namespace, why: "Which replica leads." },
  { apiGroup: "coordination.k8s.io", resource: "leases", verbs: ["get", "update"], namespace, names: [name], why: "Which replica leads." },
  { apiGroup: "", resource: "secrets", verbs: ["create"], namespace, why: "The webhooks' certificate." },
  {
    apiGroup: "",
    resource: "secrets",
    verbs: ["get", "patch"],
    namespace,
    names: [`${name}-webhook-cert`],
    why: "The webhooks' certificate.",
  },
  ...["mutatingwebhookconfigurations", "validatingwebhookconfigurations"].map((resource) => ({
    ...{ apiGroup: "admissionregistration.k8s.io", resource, verbs: ["get", "patch"], names: [name] },
    why: "Whom the API server trusts when it asks them.",
  })),
];
