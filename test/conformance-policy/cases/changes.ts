import type { ApiPeer } from "../../../ts/policy/src/testing/api.ts";
import { type Case, directions, put, relabelNamespace, relabelPod, remove, ruleSpec, together } from "./case.ts";

const trusted: ApiPeer = { namespaceSelector: {}, podSelector: { matchLabels: { trusted: "yes" } } };
const trustedNamespace: ApiPeer = { namespaceSelector: { matchLabels: { trusted: "yes" } } };
const podA = { pod: "a", tier: "inner" };
const namespaceY = { "kubernetes.io/metadata.name": "y", ns: "y" };

const ofDirection = (direction: (typeof directions)[number]): Case[] => {
  const allow = (peers: ApiPeer[] | undefined, port?: number) =>
    ruleSpec(direction, peers, port === undefined ? undefined : [{ port }], {});
  const deny = { podSelector: {}, policyTypes: [direction] };
  const one = (group: string, name: string, ...steps: Case["steps"]): Case => ({ group, name: `${direction}: ${name}`, steps });
  return [
    one("actions", "create, delete, create again", put(deny), remove(), put(deny)),
    one("actions", "from one port to another", put(allow(undefined, 80)), put(allow(undefined, 81))),
    one("actions", "from one port to every, and to none", put(allow(undefined, 80)), put(allow(undefined)), put(deny)),
    one(
      "actions",
      "from one peer to another",
      put(allow([{ podSelector: { matchLabels: { pod: "b" } } }])),
      put(allow([{ namespaceSelector: { matchLabels: { ns: "z" } } }])),
    ),
    one("actions", "another target", put(ruleSpec(direction, [], [])), put({ ...deny, podSelector: { matchLabels: { pod: "b" } } })),
    one(
      "actions",
      "the other direction",
      put({ podSelector: {}, policyTypes: ["Ingress"] }),
      put({ podSelector: {}, policyTypes: ["Egress"] }),
    ),
    one(
      "actions",
      "two policies, deleted one by one",
      together(put(deny, "one"), put(allow(undefined, 80), "two")),
      remove("one"),
      remove("two"),
    ),
    one("actions", "a change of nothing", put(allow([trusted])), together(put(allow([trusted])))),
    one(
      "label changes",
      "a peer gets the label and loses it",
      put(allow([trusted])),
      relabelPod("y/a", { ...podA, trusted: "yes" }),
      relabelPod("y/a", podA),
    ),
    one(
      "label changes",
      "a peer loses what selected it",
      put(allow([{ podSelector: { matchLabels: { tier: "inner" } } }])),
      relabelPod("x/b", { pod: "b" }),
    ),
    one(
      "label changes",
      "a peer is excluded by a label",
      put(allow([{ podSelector: { matchExpressions: [{ key: "banned", operator: "DoesNotExist" }] } }])),
      relabelPod("x/c", { pod: "c", banned: "" }),
    ),
    one(
      "label changes",
      "a target becomes one, and is none any more",
      put({ ...deny, podSelector: { matchLabels: { shut: "yes" } } }),
      relabelPod("x/a", { ...podA, shut: "yes" }),
      relabelPod("x/a", podA),
    ),
    one(
      "label changes",
      "a target moves from one policy to another",
      together(
        put(ruleSpec(direction, undefined, [{ port: 80 }]), "one"),
        put({ ...allow(undefined, 81), podSelector: { matchLabels: { pod: "moved" } } }, "two"),
      ),
      relabelPod("x/a", { pod: "moved" }),
    ),
    one(
      "label changes",
      "a namespace gets the label and loses it",
      put(allow([trustedNamespace])),
      relabelNamespace("y", { ...namespaceY, trusted: "yes" }),
      relabelNamespace("y", namespaceY),
    ),
    one(
      "label changes",
      "a namespace changes its label's value",
      put(allow([{ namespaceSelector: { matchLabels: { ns: "y" } } }])),
      relabelNamespace("y", { ...namespaceY, ns: "other" }),
    ),
    one(
      "label changes",
      "pod and namespace at once",
      put(allow([{ namespaceSelector: { matchLabels: { trusted: "yes" } }, podSelector: { matchLabels: { trusted: "yes" } } }])),
      together(relabelPod("y/a", { ...podA, trusted: "yes" }), relabelNamespace("y", { ...namespaceY, trusted: "yes" })),
    ),
    one(
      "label changes",
      "the policy's own namespace is relabelled",
      put(allow([{ namespaceSelector: { matchLabels: { home: "yes" } } }])),
      relabelNamespace("x", { "kubernetes.io/metadata.name": "x", ns: "x", home: "yes" }),
    ),
  ];
};

const nothing: Case = { group: "actions", name: "no policies", steps: [{ name: "nothing", change: (cluster) => cluster }] };

/** What changes while the pods run: policies, and the labels of pods and namespaces. */
export const changeCases: readonly Case[] = [nothing, ...directions.flatMap(ofDirection)];
