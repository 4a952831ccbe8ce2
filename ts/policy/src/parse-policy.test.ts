import { expect, test } from "vitest";
import { parseNetworkPolicy } from "./parse-policy.ts";

const policy = (spec: object, metadata: object = { namespace: "x", name: "n" }) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata,
  spec: { podSelector: {}, ...spec },
});
const from = (peer: object) => policy({ ingress: [{ from: [peer] }] });
const port = (fields: object) => policy({ ingress: [{ ports: [fields] }] });

/** Cases of the API server's own validation (`pkg/apis/networking/validation`), and the path that must be named. */
const refused: readonly (readonly [what: string, object: unknown, path: string])[] = [
  ["no spec", { metadata: { namespace: "x", name: "n" } }, "spec"],
  ["a name that is no DNS subdomain", policy({}, { namespace: "x", name: "Up_per" }), "metadata.name"],
  ["an unknown type", policy({ policyTypes: ["Both"] }), "spec.policyTypes[0]"],
  ["three types", policy({ policyTypes: ["Ingress", "Egress", "Ingress"] }), "spec.policyTypes"],
  ["a peer that names nobody", from({}), "spec.ingress[0].from[0]"],
  ["a block beside a selector", from({ podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } }), "spec.ingress[0].from[0]"],
  ["no CIDR", from({ ipBlock: { cidr: "10.0.0.0" } }), "spec.ingress[0].from[0].ipBlock.cidr"],
  ["leading zeros", from({ ipBlock: { cidr: "010.0.0.0/8" } }), "spec.ingress[0].from[0].ipBlock.cidr"],
  ["an exception outside", from({ ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/9"] } }), "spec.ingress[0].from[0].ipBlock.except[0]"],
  ["an exception as large", from({ ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] } }), "spec.ingress[0].from[0].ipBlock.except[0]"],
  [
    "an exception of the other family",
    from({ ipBlock: { cidr: "::/0", except: ["10.0.0.0/8"] } }),
    "spec.ingress[0].from[0].ipBlock.except[0]",
  ],
  ["port 0", port({ port: 0 }), "spec.ingress[0].ports[0].port"],
  ["port 65536", port({ port: 65_536 }), "spec.ingress[0].ports[0].port"],
  ["a name without a letter", port({ port: "8080" }), "spec.ingress[0].ports[0].port"],
  ["a long name", port({ port: "a-very-long-name" }), "spec.ingress[0].ports[0].port"],
  ["a doubled hyphen", port({ port: "a--b" }), "spec.ingress[0].ports[0].port"],
  ["an unknown protocol", port({ protocol: "ICMP" }), "spec.ingress[0].ports[0].protocol"],
  ["an end without a start", port({ endPort: 90 }), "spec.ingress[0].ports[0].endPort"],
  ["an end of a name", port({ port: "http", endPort: 90 }), "spec.ingress[0].ports[0].endPort"],
  ["an end before the start", port({ port: 90, endPort: 80 }), "spec.ingress[0].ports[0].endPort"],
  ["an illegal label key", policy({ podSelector: { matchLabels: { "a b": "c" } } }), 'spec.podSelector.matchLabels["a b"]'],
  ["an illegal label value", policy({ podSelector: { matchLabels: { a: "b c" } } }), "spec.podSelector.matchLabels.a"],
  [
    "In without values",
    policy({ podSelector: { matchExpressions: [{ key: "a", operator: "In" }] } }),
    "spec.podSelector.matchExpressions[0].values",
  ],
  [
    "Exists with values",
    policy({ podSelector: { matchExpressions: [{ key: "a", operator: "Exists", values: ["b"] }] } }),
    "spec.podSelector.matchExpressions[0].values",
  ],
];

test.each(refused)("%s is refused and named", (_, object, path) => {
  const parsed = parseNetworkPolicy(object);
  expect(parsed.ok ? [] : parsed.issues.map((issue) => issue.path)).toContain(path);
});

test("what the API server accepts is accepted: host bits are cleared, unknown fields are dropped, a wide range is one range", () => {
  const parsed = parseNetworkPolicy(
    policy({
      future: true,
      ingress: [
        {
          from: [{ ipBlock: { cidr: "10.0.0.1/8", except: ["10.1.2.3/16"] } }],
          ports: [{ port: 1024, endPort: 65_535 }, { protocol: "UDP" }],
        },
      ],
    }),
  );
  expect(parsed.ok && parsed.policy.ingress).toEqual([
    {
      peers: [{ kind: "block", cidr: "10.0.0.0/8", except: ["10.1.0.0/16"], key: "block 10.0.0.0/8 -10.1.0.0/16" }],
      ports: [
        { protocol: "TCP", from: 1024, to: 65_535 },
        { protocol: "UDP", from: 0, to: 65_535 },
      ],
    },
  ]);
});

test.each([
  ["nothing said", {}, ["ingress"]],
  ["egress rules", { egress: [{}] }, ["ingress", "egress"]],
  ["an empty egress list", { egress: [] }, ["ingress"]],
  ["types win", { policyTypes: ["Egress"], ingress: [{}] }, ["egress"]],
])("directions by default: %s", (_, spec, want) => {
  const parsed = parseNetworkPolicy(policy(spec));
  expect(parsed.ok && ["ingress", "egress"].filter((direction) => direction in parsed.policy)).toEqual(want);
});
