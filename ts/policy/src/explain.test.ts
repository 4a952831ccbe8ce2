import { expect, test } from "vitest";
import { explain } from "./explain.ts";
import type { NetworkPolicy } from "./objects.ts";
import { parseNetworkPolicy } from "./parse-policy.ts";
import { compileSet } from "./policy-set.ts";
import { numberOf } from "./tables/content-number.ts";

function policy(name: string, spec: Record<string, unknown>): NetworkPolicy {
  const parsed = parseNetworkPolicy({ metadata: { namespace: "x", name }, spec: { podSelector: {}, ...spec } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.policy;
}

const web = { ports: [{ port: 80 }] };
const policies = [
  policy("web-too", { ingress: [web, { ports: [{ port: "metrics" }] }] }),
  policy("deny", { policyTypes: ["Ingress"] }),
  policy("web", { ingress: [web] }),
];

test("every rule names the policies that say it, and the set is the one in the tables", () => {
  const ports = [{ name: "metrics", protocol: "TCP" as const, port: 9100 }];
  const { ingress, egress } = explain(policies, ports);
  expect(egress).toBeUndefined();
  expect(ingress?.policies).toEqual(["deny", "web", "web-too"]);
  expect(ingress?.set).toBe(numberOf(compileSet("ingress", policies, ports)?.id ?? ""));
  expect(ingress?.rules.map(({ text, policies: names }) => [text, names])).toEqual([
    ["* TCP/80-80", ["web", "web-too"]],
    ["* TCP/9100-9100", ["web-too"]],
  ]);
});

test("a policy that allows nothing isolates all the same", () => {
  expect(explain(policies.slice(1, 2), []).ingress).toMatchObject({ policies: ["deny"], rules: [] });
});
