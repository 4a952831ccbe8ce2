import fc from "fast-check";
import type { ApiCluster, ApiLabelSelector, ApiPeer, ApiPod, ApiPolicy, ApiPort } from "./api.ts";

/** Few keys, values, names and ports: what matters is how often things meet. */
const keys = ["app", "tier", "kubernetes.io/metadata.name"] as const;
const values = ["a", "b", ""] as const;
const namespaces = ["x", "y", "z"] as const;
const portNames = ["http", "dns"] as const;
export const probedPorts = [53, 80, 81, 443] as const;
const protocol = fc.constantFrom("TCP" as const, "UDP" as const, "SCTP" as const);
const labels = fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...values), { maxKeys: 2 });

const requirement = fc.oneof(
  fc.record({
    key: fc.constantFrom(...keys),
    operator: fc.constantFrom("In" as const, "NotIn" as const),
    values: fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ key: fc.constantFrom(...keys), operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const) }),
);
const selector: fc.Arbitrary<ApiLabelSelector> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  {
    weight: 3,
    arbitrary: fc.record({ matchLabels: fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...values), { minKeys: 1, maxKeys: 2 }) }),
  },
  { weight: 2, arbitrary: fc.record({ matchExpressions: fc.array(requirement, { minLength: 1, maxLength: 2 }) }) },
);

/** Pods live in 10.0.0.0/29 and fd00::/125, so that these prefixes cut through them. */
const ipBlock = fc.oneof(
  fc.constantFrom<NonNullable<ApiPeer["ipBlock"]>[]>(
    { cidr: "10.0.0.0/8" },
    { cidr: "10.0.0.3/30", except: ["10.0.0.2/32"] },
    { cidr: "0.0.0.0/0", except: ["10.0.0.0/30", "192.0.2.0/24"] },
    { cidr: "10.0.0.4/32" },
    { cidr: "fd00::/16", except: ["fd00::2/127"] },
    { cidr: "::/0" },
  ),
);
const peer: fc.Arbitrary<ApiPeer> = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
  fc.record({ ipBlock }),
);
const port: fc.Arbitrary<ApiPort> = fc.oneof(
  fc.record({ protocol, port: fc.constantFrom(...probedPorts) }),
  fc.record({ port: fc.constantFrom(...probedPorts) }),
  fc.record({ protocol, port: fc.constant(80), endPort: fc.constantFrom(80, 81, 443) }),
  fc.record({ protocol, port: fc.constantFrom(...portNames) }),
  fc.record({ protocol }),
);
const ports = fc.option(fc.array(port, { maxLength: 2 }), { nil: undefined });
const peers = fc.option(fc.array(peer, { maxLength: 2 }), { nil: undefined });

function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

const spec: fc.Arbitrary<ApiPolicy["spec"]> = fc
  .record({
    podSelector: selector,
    policyTypes: fc.option(fc.uniqueArray(fc.constantFrom("Ingress" as const, "Egress" as const), { maxLength: 2 }), { nil: undefined }),
    ingress: fc.option(fc.array(fc.record({ from: peers, ports }).map(defined), { maxLength: 2 }), { nil: undefined }),
    egress: fc.option(fc.array(fc.record({ to: peers, ports }).map(defined), { maxLength: 2 }), { nil: undefined }),
  })
  .map((fields) => defined(fields) as ApiPolicy["spec"]);

const podFields = fc.record({
  namespace: fc.constantFrom(...namespaces),
  labels,
  ports: fc.array(fc.record({ name: fc.constantFrom(...portNames), protocol, port: fc.constantFrom(...probedPorts) }), { maxLength: 2 }),
  hostNetwork: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
  finished: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
});

export const cluster: fc.Arbitrary<ApiCluster> = fc
  .record({
    namespaces: fc.uniqueArray(fc.record({ name: fc.constantFrom(...namespaces), labels }), { selector: ({ name }) => name, minLength: 1 }),
    pods: fc.array(podFields, { minLength: 1, maxLength: 6 }),
    policies: fc.array(fc.tuple(fc.constantFrom(...namespaces), spec), { minLength: 1, maxLength: 4 }),
  })
  .map(({ namespaces: known, pods, policies }) => ({
    namespaces: known,
    pods: pods.map((pod, index): ApiPod => ({ ...pod, name: `p${index}`, addresses: [`10.0.0.${index + 1}`, `fd00::${index + 1}`] })),
    policies: policies.map(([namespace, body], index): ApiPolicy => ({ metadata: { namespace, name: `n${index}` }, spec: body })),
  }));
