import type { ApiPeer, ApiPort } from "../../../ts/policy/src/testing/api.ts";
import { addressesOf, familyOf, hostPrefix } from "../scene.ts";
import { type Case, put, remove, ruleSpec, type Spec, type Step, together, withPolicy } from "./case.ts";

const deny: Spec = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };
const denyIngress: Spec = { podSelector: {}, policyTypes: ["Ingress"] };
const denyEgress: Spec = { podSelector: {}, policyTypes: ["Egress"] };
const allow: Spec = { podSelector: {}, policyTypes: ["Ingress", "Egress"], ingress: [{}], egress: [{}] };
const pod = (name: string): ApiPeer => ({ podSelector: { matchLabels: { pod: name } } });
const namespace = (name: string): ApiPeer => ({ namespaceSelector: { matchLabels: { ns: name } } });
const ingress = (peers: ApiPeer[] | undefined, ports?: ApiPort[]) => ruleSpec("Ingress", peers, ports, {});
const egress = (peers: ApiPeer[] | undefined, ports?: ApiPort[]) => ruleSpec("Egress", peers, ports, {});

/** Pairs of policies that meet: together they allow what one of them allows. */
const pairs: Readonly<Record<string, readonly [Step, Step]>> = {
  "deny all and allow all": [put(deny, "one"), put(allow, "two")],
  "deny ingress and allow by peer": [put(denyIngress, "one"), put(ingress([pod("b")]), "two")],
  "deny egress and allow by peer": [put(denyEgress, "one"), put(egress([pod("b")]), "two")],
  "two peers": [put(ingress([pod("b")]), "one"), put(ingress([namespace("y")]), "two")],
  "two ports": [put(ingress(undefined, [{ port: 80 }]), "one"), put(ingress(undefined, [{ port: 81 }]), "two")],
  "one peer, two ports": [put(ingress([pod("c")], [{ port: 80 }]), "one"), put(ingress([pod("c")], [{ port: 81 }]), "two")],
  "a peer with a port, everybody with another": [
    put(egress([namespace("z")], [{ protocol: "UDP", port: 80 }]), "one"),
    put(egress(undefined, [{ protocol: "UDP", port: 81 }]), "two"),
  ],
  "selectors that overlap": [
    put(ruleSpec("Ingress", [pod("b")], undefined), "one"),
    put({ podSelector: { matchExpressions: [{ key: "tier", operator: "Exists" }] }, ingress: [{ from: [pod("c")] }] }, "two"),
  ],
  "ingress and egress of one pod": [
    put(ruleSpec("Ingress", [pod("b")], undefined), "one"),
    put(ruleSpec("Egress", [pod("c")], undefined), "two"),
  ],
  "ingress allows what the client's egress denies": [put(ingress(undefined), "in", "x"), put(denyEgress, "out", "y")],
  "egress allows what the server's ingress denies": [put(egress(undefined), "out", "x"), put(denyIngress, "in", "y")],
  "both sides allow another port": [put(ingress(undefined, [{ port: 80 }]), "in", "x"), put(egress(undefined, [{ port: 81 }]), "out", "y")],
  "both sides allow the same": [
    put(ingress([namespace("y")], [{ port: 80 }]), "in", "x"),
    put(egress([namespace("x")], [{ port: 80 }]), "out", "y"),
  ],
  "the same name in two namespaces": [put(denyIngress), put(allow, "policy", "y")],
  "all protocols and one of them": [
    put(ingress([pod("b")]), "one"),
    put(ingress([namespace("y")], [{ protocol: "SCTP", port: 80 }]), "two"),
  ],
  "a range and a port within": [
    put(ingress([pod("b")], [{ protocol: "TCP", port: 1, endPort: 1_000 }]), "one"),
    put(ingress([pod("c")], [{ protocol: "TCP", port: 80 }]), "two"),
  ],
};

/** Created in either order, and one of them deleted. */
const meetings: readonly Case[] = Object.entries(pairs).flatMap(([name, [one, two]]): Case[] => {
  const gone = (step: Step): Step => {
    const [, where = "", what = ""] = /^put (\w+)\/(\w+)$/.exec(step.name) ?? [];
    return remove(what, where);
  };
  return [
    { group: "conflicts", name: `${name}: together, then the first goes`, steps: [together(one, two), gone(one)] },
    { group: "conflicts", name: `${name}: one after the other, then the second goes`, steps: [two, one, gone(two)] },
  ];
});

const overlap = (direction: "Ingress" | "Egress"): Case => ({
  group: "conflicts",
  name: `${direction}: another policy allows what an exception leaves out`,
  steps: [
    {
      name: "put x/most",
      change: (cluster) => {
        const peers = addressesOf(cluster, "y/a").map((address) => ({
          ipBlock: { cidr: familyOf(address) === 6 ? "fd00::/16" : "10.0.0.0/8", except: [hostPrefix(address)] },
        }));
        return withPolicy(cluster, ruleSpec(direction, peers, undefined), "most");
      },
    },
    {
      name: "put x/rest",
      change: (cluster) => {
        const peers = addressesOf(cluster, "y/a").map((address) => ({ ipBlock: { cidr: hostPrefix(address) } }));
        return withPolicy(cluster, ruleSpec(direction, peers, [{ port: 81 }]), "rest");
      },
    },
    remove("most"),
  ],
});

/** Policies that meet. */
export const conflictCases: readonly Case[] = [...meetings, overlap("Ingress"), overlap("Egress")];
