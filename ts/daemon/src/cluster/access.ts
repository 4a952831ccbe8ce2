import type { Access } from "@terway/kube";

/** Everything that the daemon asks of the API server. */
export const daemonAccess: readonly Access[] = [
  {
    apiGroup: "",
    resource: "pods",
    verbs: ["get", "list", "watch", "patch"],
    why: "Pods of its own node (field selector `spec.nodeName`); annotation `k8s.aliyun.com/pod-ips`. All pods, unless `disable_network_policy` is set: labels, ports and addresses that policies speak of.",
  },
  {
    apiGroup: "",
    resource: "namespaces",
    verbs: ["list", "watch"],
    why: "Labels that policies speak of; not asked for with `disable_network_policy`.",
  },
  {
    apiGroup: "networking.k8s.io",
    resource: "networkpolicies",
    verbs: ["list", "watch"],
    why: "What is enforced; not asked for with `disable_network_policy`.",
  },
  {
    apiGroup: "",
    resource: "nodes",
    verbs: ["list", "watch", "patch"],
    why: "Its own object (field selector `metadata.name`): labels, `terway.aliyun.com/reconcile`; annotations with its capacity.",
  },
  {
    apiGroup: "",
    resource: "nodes/status",
    verbs: ["patch"],
    why: "Conditions `SufficientIP`, `NetworkUnavailable` and `NetworkPolicyEnforced`.",
  },
  {
    apiGroup: "",
    resource: "configmaps",
    verbs: ["list", "watch"],
    namespace: "kube-system",
    why: "`eni-config`, and the one that the node's label `terway-config` names.",
  },
  { apiGroup: "", resource: "events", verbs: ["create", "patch"], why: "Events of pods and of its node, see [events](events.md)." },
  {
    apiGroup: "network.alibabacloud.com",
    resource: "podenis",
    verbs: ["get", "list", "watch"],
    why: "ENIs that were given to single pods of the node; watched when there is a pod with `k8s.aliyun.com/pod-eni`.",
  },
  {
    apiGroup: "network.alibabacloud.com",
    resource: "nodes",
    verbs: ["get", "list", "watch", "create", "patch"],
    why: "With `ipam_type: crd`: its own Node, in which it says what it wants of the control plane and finds its addresses.",
  },
  {
    apiGroup: "network.alibabacloud.com",
    resource: "noderuntimes",
    verbs: ["get", "create", "patch"],
    why: "With `ipam_type: crd`: its own NodeRuntime.",
  },
  {
    apiGroup: "network.alibabacloud.com",
    resource: "noderuntimes/status",
    verbs: ["patch"],
    why: "With `ipam_type: crd`: of which pods something is on the node; an address is free when it says so.",
  },
];
