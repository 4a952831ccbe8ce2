import type { ApiLabelSelector } from "../../../ts/policy/src/testing/api.ts";
import { type Case, put, type Spec, together } from "./case.ts";

const targets: Readonly<Record<string, ApiLabelSelector>> = {
  "all pods": {},
  "pod a": { matchLabels: { pod: "a" } },
  "pods with tier": { matchExpressions: [{ key: "tier", operator: "Exists" }] },
  "pods without tier": { matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] },
  "pods in b, c": { matchExpressions: [{ key: "pod", operator: "In", values: ["b", "c"] }] },
  "pods not in b, c": { matchExpressions: [{ key: "pod", operator: "NotIn", values: ["b", "c"] }] },
  "no pod": { matchLabels: { pod: "nobody" } },
};

/** What isolates which direction, by the defaults of `policyTypes`, and what an empty or an absent list allows. */
const bodies: Readonly<Record<string, Omit<Spec, "podSelector">>> = {
  "nothing but a selector": {},
  "empty policyTypes": { policyTypes: [] },
  "deny ingress": { policyTypes: ["Ingress"] },
  "deny egress": { policyTypes: ["Egress"] },
  "deny both": { policyTypes: ["Ingress", "Egress"] },
  "deny ingress by an empty list": { policyTypes: ["Ingress"], ingress: [] },
  "deny egress by an empty list": { policyTypes: ["Egress"], egress: [] },
  "allow ingress": { policyTypes: ["Ingress"], ingress: [{}] },
  "allow egress": { policyTypes: ["Egress"], egress: [{}] },
  "allow ingress, deny egress": { policyTypes: ["Ingress", "Egress"], ingress: [{}] },
  "deny ingress, allow egress": { policyTypes: ["Ingress", "Egress"], egress: [{}] },
  "allow both": { policyTypes: ["Ingress", "Egress"], ingress: [{}], egress: [{}] },
  "egress rules without policyTypes isolate both": { egress: [{}] },
  "ingress rules without policyTypes leave egress": { ingress: [{ ports: [{ port: 80 }] }] },
  "egress rules under policyTypes Ingress say nothing": { policyTypes: ["Ingress"], egress: [{}], ingress: [{}] },
};

const selected: readonly Case[] = Object.entries(targets).flatMap(([name, podSelector]) =>
  ["deny ingress", "deny egress", "deny both"].map((body) => ({
    group: "targets",
    name: `${name}: ${body}`,
    steps: [put({ podSelector, ...bodies[body] })],
  })),
);

const isolation: readonly Case[] = Object.entries(bodies).map(([name, body]) => ({
  group: "isolation",
  name,
  steps: [put({ podSelector: {}, ...body })],
}));

const rules: readonly Case[] = (["ingress", "egress"] as const).flatMap((field) => {
  const policyTypes: Spec["policyTypes"] = field === "ingress" ? ["Ingress"] : ["Egress"];
  const of = (key: string, podSelector: ApiLabelSelector) => ({ [key]: [{ podSelector }] });
  const side = field === "ingress" ? "from" : "to";
  const lists: Readonly<Record<string, unknown[]>> = {
    "two rules, two peers": [of(side, { matchLabels: { pod: "b" } }), of(side, { matchLabels: { pod: "c" } })],
    "a peer with one port, another with another": [
      { ...of(side, { matchLabels: { pod: "b" } }), ports: [{ port: 80 }] },
      { ...of(side, { matchLabels: { pod: "c" } }), ports: [{ port: 81 }] },
    ],
    "a narrow rule beside one for everybody": [{ ...of(side, { matchLabels: { pod: "b" } }), ports: [{ port: 80 }] }, {}],
    "two ports lists of one peer": [
      { ...of(side, {}), ports: [{ port: 80 }] },
      { ...of(side, {}), ports: [{ protocol: "UDP", port: 81 }] },
    ],
    "a rule for nobody beside one for a port": [of(side, { matchLabels: { pod: "nobody" } }), { ports: [{ protocol: "SCTP", port: 80 }] }],
  };
  return Object.entries(lists).map(
    ([name, list]): Case => ({
      group: "rules",
      name: `${field}: ${name}`,
      steps: [put({ podSelector: { matchLabels: { pod: "a" } }, policyTypes, [field]: list })],
    }),
  );
});

const everywhere: Case = {
  group: "targets",
  name: "deny both in each namespace",
  steps: [together(...["x", "y", "z"].map((namespace) => put({ podSelector: {}, policyTypes: ["Ingress", "Egress"] }, "deny", namespace)))],
};

/** Whom a policy isolates in which direction, and what lists of rules allow. */
export const targetCases: readonly Case[] = [...isolation, ...selected, everywhere, ...rules];
