import type { ApiCluster, ApiLabelSelector, ApiPeer } from "../../../ts/policy/src/testing/api.ts";
import { addressesOf, familyOf, hostPrefix, type Surroundings } from "../scene.ts";
import { type Case, directions, ruleSpec, type Step, withPolicy } from "./case.ts";
import { portLists } from "./ports.ts";

/** Some name addresses that pods get only when they run. */
export type Peers = (cluster: ApiCluster, surroundings: Surroundings) => ApiPeer[] | undefined;

const podSelectors: Readonly<Record<string, ApiLabelSelector>> = {
  "all pods": {},
  "pod b": { matchLabels: { pod: "b" } },
  "pods in a, b": { matchExpressions: [{ key: "pod", operator: "In", values: ["a", "b"] }] },
  "pods not in a": { matchExpressions: [{ key: "pod", operator: "NotIn", values: ["a"] }] },
  "pods with tier": { matchExpressions: [{ key: "tier", operator: "Exists" }] },
  "pods without tier": { matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] },
  "pods that have all of it": {
    matchLabels: { pod: "b" },
    matchExpressions: [
      { key: "tier", operator: "Exists" },
      { key: "pod", operator: "NotIn", values: ["c"] },
    ],
  },
  "no pod": { matchLabels: { pod: "nobody" } },
};
const namespaceSelectors: Readonly<Record<string, ApiLabelSelector>> = {
  "all namespaces": {},
  "namespace y": { matchLabels: { ns: "y" } },
  "namespaces in y, z": { matchExpressions: [{ key: "ns", operator: "In", values: ["y", "z"] }] },
  "the namespace named y": { matchLabels: { "kubernetes.io/metadata.name": "y" } },
  "namespaces not named x": { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["x"] }] },
  "no namespace": { matchLabels: { ns: "nobody" } },
};

/** Each selector alone, and each with each of the other kind: an absent selector, an empty one and a full one mean three things. */
const selectors: Readonly<Record<string, Peers>> = Object.fromEntries<Peers>([
  ...Object.entries(podSelectors).map(([name, podSelector]) => [name, () => [{ podSelector }]] as const),
  ...Object.entries(namespaceSelectors).map(([name, namespaceSelector]) => [name, () => [{ namespaceSelector }]] as const),
  ...Object.entries(namespaceSelectors).flatMap(([namespaceName, namespaceSelector]) =>
    Object.entries(podSelectors).map(
      ([name, podSelector]) => [`${name} of ${namespaceName}`, () => [{ namespaceSelector, podSelector }]] as const,
    ),
  ),
]);

const block = (cidr: string, except?: string[]): ApiPeer => ({ ipBlock: { cidr, ...(except === undefined ? {} : { except }) } });
const everything = (address: string) => (familyOf(address) === 6 ? "::/0" : "0.0.0.0/0");
const half = (address: string) => (familyOf(address) === 6 ? "8000::/1" : "128.0.0.0/1");
const of = (key: string) => (cluster: ApiCluster) => addressesOf(cluster, key);
const eachOf =
  (addresses: (cluster: ApiCluster, surroundings: Surroundings) => readonly string[], make: (address: string) => ApiPeer): Peers =>
  (cluster, surroundings) =>
    addresses(cluster, surroundings).map(make);

const blocks: Readonly<Record<string, Peers>> = {
  "block of every IPv4 address": () => [block("0.0.0.0/0")],
  "block of every IPv6 address": () => [block("::/0")],
  "blocks of every address": () => [block("0.0.0.0/0"), block("::/0")],
  "block that holds nobody": () => [block("198.51.100.0/24"), block("2001:db8::/32")],
  "block of one pod": eachOf(of("y/b"), (address) => block(hostPrefix(address))),
  "block of the machine outside": eachOf(
    (_, { outside }) => outside,
    (address) => block(hostPrefix(address)),
  ),
  "blocks of one node's pods": () => [block("10.0.1.0/24"), block("fd00:0:0:101::/64")],
  "every address except one pod's": eachOf(of("y/b"), (address) => block(everything(address), [hostPrefix(address)])),
  "every address except what holds nobody": eachOf(of("x/a"), (address) => block(everything(address), [half(address)])),
  "every address except one node's pods": () => [block("0.0.0.0/0", ["10.0.1.0/24"]), block("::/0", ["fd00:0:0:101::/64"])],
  "an exception within an exception": (cluster) =>
    addressesOf(cluster, "z/c").map((address) =>
      block(everything(address), [familyOf(address) === 6 ? "fd00::/16" : "10.0.0.0/8", hostPrefix(address)]),
    ),
  "an exception that another block allows again": (cluster) =>
    addressesOf(cluster, "z/c").flatMap((address) => [
      block(everything(address), [familyOf(address) === 6 ? "fd00::/16" : "10.0.0.0/8"]),
      block(hostPrefix(address)),
    ]),
  "block of one pod, or pods by label": (cluster) => [
    ...addressesOf(cluster, "y/b").map((address) => block(hostPrefix(address))),
    { podSelector: { matchLabels: { pod: "c" } } },
  ],
};

const several: Readonly<Record<string, Peers>> = {
  "no peers at all": () => undefined,
  "an empty list of peers": () => [],
  "pod b, or namespace y": () => [{ podSelector: { matchLabels: { pod: "b" } } }, { namespaceSelector: { matchLabels: { ns: "y" } } }],
  "pod b of y, or pod c of z": () => [
    { podSelector: { matchLabels: { pod: "b" } }, namespaceSelector: { matchLabels: { ns: "y" } } },
    { podSelector: { matchLabels: { pod: "c" } }, namespaceSelector: { matchLabels: { ns: "z" } } },
  ],
  "nobody, or everybody": () => [{ podSelector: { matchLabels: { pod: "nobody" } } }, { namespaceSelector: {} }],
};

export const peerLists: Readonly<Record<string, Peers>> = { ...selectors, ...blocks, ...several };

/** Coprime to the number of lists of ports but the first, so that neighbours in that list go to peers of every kind. */
const stride = 7;

/** Every peer in both directions with every port and with some lists of ports, others for each peer, so that all meet over the table. */
function crossed(group: string, peers: Readonly<Record<string, Peers>>, some: number): Case[] {
  const [first, ...others] = Object.entries(portLists);
  return Object.entries(peers).flatMap(([peerName, make], peer) => {
    const lists = Array.from({ length: some }, (_, turn) => others[((peer * some + turn) * stride) % others.length]);
    return directions.flatMap((direction) =>
      [first, ...lists].flatMap((entry): Case[] => {
        if (entry === undefined) return [];
        const [portName, list] = entry;
        const change: Step["change"] = (cluster, around) => withPolicy(cluster, ruleSpec(direction, make(cluster, around), list));
        return [{ group, name: `${direction}: ${peerName}; ${portName}`, steps: [{ name: "create", change }] }];
      }),
    );
  });
}

/** Peers by selectors, by blocks of addresses, and several of them. */
export const peerCases: readonly Case[] = [
  ...crossed("peers: selectors", selectors, 1),
  ...crossed("peers: ipBlock", blocks, 2),
  ...crossed("peers: several", several, 2),
];
