import type { ApiCluster, ApiPeer, ApiPod, ApiPolicy, ApiPort } from "../../ts/policy/src/testing/api.ts";

/** The pods that every case is measured between; addresses are filled in when they run. */
export const fixturePods: readonly Omit<ApiPod, "addresses">[] = [
  pod("x", "a", { app: "a" }),
  pod("x", "b", { app: "b" }),
  pod("y", "a", { app: "a" }),
  pod("y", "b", { app: "b", tier: "back" }),
];
export const fixtureNamespaces: ApiCluster["namespaces"] = ["x", "y"].map((name) => ({
  name,
  labels: { "kubernetes.io/metadata.name": name, team: name },
}));

function pod(namespace: string, name: string, labels: Record<string, string>) {
  const ports = [
    { name: "web", protocol: "TCP" as const, port: name === "a" ? 80 : 81 },
    { name: "dns", protocol: "UDP" as const, port: 81 },
  ];
  return { namespace, name, labels, ports, hostNetwork: false, finished: false };
}

/** What the cluster holds while a case is measured. */
export interface Case {
  readonly name: string;
  /** The group of the table that it counts in. */
  readonly kind: string;
  /** `cluster` is the fixture with addresses and without policies. */
  make(cluster: ApiCluster): ApiCluster;
}

type PeerMaker = (cluster: ApiCluster) => ApiPeer[] | undefined;
const address = (cluster: ApiCluster, namespace: string, name: string, family: number) =>
  cluster.pods.find((one) => one.namespace === namespace && one.name === name)?.addresses[family] ?? "";
const host = (text: string) => `${text}/${text.includes(":") ? 128 : 32}`;

const peers: Readonly<Record<string, PeerMaker>> = {
  "absent peers": () => undefined,
  "an empty list of peers": () => [],
  "all pods of the namespace": () => [{ podSelector: {} }],
  "pods by label": () => [{ podSelector: { matchLabels: { app: "b" } } }],
  "pods by an expression": () => [{ podSelector: { matchExpressions: [{ key: "app", operator: "NotIn", values: ["b"] }] } }],
  "all namespaces": () => [{ namespaceSelector: {} }],
  "a namespace by label": () => [{ namespaceSelector: { matchLabels: { team: "y" } } }],
  "another namespace by name": () => [
    { namespaceSelector: { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["x"] }] } },
  ],
  "pods and namespace": () => [{ namespaceSelector: { matchLabels: { team: "y" } }, podSelector: { matchLabels: { app: "b" } } }],
  "pods or namespace": () => [{ podSelector: { matchLabels: { app: "b" } } }, { namespaceSelector: { matchLabels: { team: "y" } } }],
  "a label that nobody has": () => [{ podSelector: { matchLabels: { app: "none" } } }],
  "an address": (cluster) => [0, 1].map((family) => ({ ipBlock: { cidr: host(address(cluster, "x", "b", family)) } })),
  "all addresses but one": (cluster) => [
    { ipBlock: { cidr: "0.0.0.0/0", except: [host(address(cluster, "y", "a", 0))] } },
    { ipBlock: { cidr: "::/0", except: [host(address(cluster, "y", "a", 1))] } },
  ],
  "a block within an exception": (cluster) => [
    { ipBlock: { cidr: "0.0.0.0/0", except: ["0.0.0.0/1"] } },
    { ipBlock: { cidr: host(address(cluster, "y", "b", 0)) } },
  ],
};

const ports: Readonly<Record<string, ApiPort[] | undefined>> = {
  "every port": undefined,
  "TCP 80": [{ protocol: "TCP", port: 80 }],
  "UDP 80": [{ protocol: "UDP", port: 80 }],
  "TCP 80 to 81": [{ port: 80, endPort: 81 }],
  "TCP by name": [{ port: "web" }],
  "TCP 81 and UDP by name": [{ port: 81 }, { protocol: "UDP", port: "dns" }],
  "UDP, every port": [{ protocol: "UDP" }],
  "SCTP 80": [{ protocol: "SCTP", port: 80 }],
};

function policy(name: string, spec: ApiPolicy["spec"], namespace = "x"): ApiPolicy {
  return { metadata: { namespace, name }, spec };
}

/** Every peer with every port in both directions, for the pod x/a. */
function rules(): Case[] {
  return (["ingress", "egress"] as const).flatMap((direction) =>
    Object.entries(peers).flatMap(([peerName, peersOf]) =>
      Object.entries(ports).map(([portName, portList]): Case => {
        const make = (cluster: ApiCluster): ApiCluster => {
          const some = peersOf(cluster);
          const rule = portList === undefined ? {} : { ports: portList };
          const spec: ApiPolicy["spec"] =
            direction === "ingress"
              ? {
                  podSelector: { matchLabels: { app: "a" } },
                  policyTypes: ["Ingress"],
                  ingress: [some === undefined ? rule : { ...rule, from: some }],
                }
              : {
                  podSelector: { matchLabels: { app: "a" } },
                  policyTypes: ["Egress"],
                  egress: [some === undefined ? rule : { ...rule, to: some }],
                };
          return { ...cluster, policies: [policy("rule", spec)] };
        };
        return { name: `${direction}: ${peerName}, ${portName}`, kind: `${direction} rules`, make };
      }),
    ),
  );
}

const denyAll: ApiPolicy["spec"] = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };
const allowAll: ApiPolicy["spec"] = { podSelector: {}, policyTypes: ["Ingress", "Egress"], ingress: [{}], egress: [{}] };

const relabel = (cluster: ApiCluster, namespace: string, name: string, labels: Record<string, string>): ApiCluster => ({
  ...cluster,
  pods: cluster.pods.map((one) => (one.namespace === namespace && one.name === name ? { ...one, labels } : one)),
});

/** Policies that meet, and changes; each follows the one before in the same cluster. */
function actions(): Case[] {
  const fromB: ApiPolicy["spec"] = { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: "b" } } }] }] };
  const one = (name: string, make: Case["make"]): Case => ({ name, kind: "conflicts and changes", make });
  return [
    one("no policy", (cluster) => cluster),
    one("deny all", (cluster) => ({ ...cluster, policies: [policy("deny", denyAll)] })),
    one("allow all wins over deny all", (cluster) => ({ ...cluster, policies: [policy("deny", denyAll), policy("allow", allowAll)] })),
    one("the allowing policy is deleted", (cluster) => ({ ...cluster, policies: [policy("deny", denyAll)] })),
    one("the last policy is deleted", (cluster) => cluster),
    one("deny in both namespaces", (cluster) => ({ ...cluster, policies: [policy("deny", denyAll), policy("deny", denyAll, "y")] })),
    one("egress of one side only", (cluster) => ({
      ...cluster,
      policies: [policy("deny", { podSelector: {}, policyTypes: ["Egress"] }), policy("in", { podSelector: {}, ingress: [{}] }, "y")],
    })),
    one("two policies with ports each", (cluster) => ({
      ...cluster,
      policies: [
        policy("one", { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] }),
        policy("two", {
          podSelector: { matchLabels: { app: "a" } },
          ingress: [{ ports: [{ port: 81 }], from: [{ namespaceSelector: {} }] }],
        }),
      ],
    })),
    one("a label before it changes", (cluster) => ({ ...cluster, policies: [policy("from-b", fromB)] })),
    one("a pod gets the label", (cluster) => ({ ...relabel(cluster, "x", "a", { app: "b" }), policies: [policy("from-b", fromB)] })),
    one("a pod loses the label", (cluster) => ({ ...relabel(cluster, "x", "b", { app: "c" }), policies: [policy("from-b", fromB)] })),
    one("a pod is selected no more", (cluster) => ({
      ...relabel(cluster, "x", "a", { app: "z" }),
      policies: [policy("deny", { podSelector: { matchLabels: { app: "a" } } })],
    })),
    one("a namespace gets the label", (cluster) => ({
      ...cluster,
      namespaces: cluster.namespaces.map(({ name, labels }) => ({ name, labels: { ...labels, trusted: "yes" } })),
      policies: [policy("trusted", { podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { trusted: "yes" } } }] }] })],
    })),
    one("a namespace lost the label", (cluster) => ({
      ...cluster,
      policies: [policy("trusted", { podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { trusted: "yes" } } }] }] })],
    })),
    one("an overlapping block allows what an exception left out", (cluster) => {
      const cidr = host(address(cluster, "y", "a", 0));
      return {
        ...cluster,
        policies: [
          policy("most", {
            podSelector: {},
            egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: [cidr] } }] }],
            policyTypes: ["Egress"],
          }),
          policy("rest", { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr } }] }], policyTypes: ["Egress"] }),
        ],
      };
    }),
    one("a policy of another namespace says nothing", (cluster) => ({ ...cluster, policies: [policy("deny", denyAll, "y")] })),
  ];
}

export const cases: readonly Case[] = [...actions(), ...rules()];
