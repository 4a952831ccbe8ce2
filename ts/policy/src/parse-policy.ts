import { type ConfigIssue, canonicalCidr, issuesOf, parseCidr } from "@terway/model";
import { z } from "zod";
import { compileSelector, type LabelMatcher } from "./label-selector.ts";
import type { BlockPeer, NetworkPolicy, Peer, PodPeer, PortName, PortRange, Rule } from "./objects.ts";

const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelName = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const portName = /^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/;

function isLabelKey(key: string): boolean {
  const parts = key.split("/");
  const name = parts.pop() ?? "";
  const [prefix] = parts;
  return labelName.test(name) && parts.length <= 1 && (prefix === undefined || (prefix.length <= 253 && dnsSubdomain.test(prefix)));
}

const key = z.string().refine(isLabelKey, "must be a label key: [prefix/]name");
const value = z.string().refine((text) => text === "" || labelName.test(text), "must be a label value: at most 63 of A-Z a-z 0-9 - _ .");
const requirement = z
  .object({ key, operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]), values: z.array(value).nullish() })
  .superRefine(({ operator, values }, context) => {
    const wanted = operator === "In" || operator === "NotIn";
    if (wanted !== (values?.length ?? 0) > 0) {
      context.addIssue({
        code: "custom",
        path: ["values"],
        message: wanted ? `is needed by ${operator}` : `must be absent with ${operator}`,
      });
    }
  });
const selector = z
  .object({ matchLabels: z.record(key, value).nullish(), matchExpressions: z.array(requirement).nullish() })
  .transform((from) =>
    compileSelector({
      matchLabels: from.matchLabels ?? {},
      matchExpressions: (from.matchExpressions ?? []).map((item) => ({ ...item, values: item.values ?? undefined })),
    }),
  );

const cidr = z.string().transform((text, context) => {
  const canonical = canonicalCidr(text);
  if (canonical !== undefined) return canonical;
  context.addIssue({ code: "custom", message: "must be a CIDR, such as 10.0.0.0/8 or 2001:db8::/32" });
  return z.NEVER;
});
const ipBlock = z.object({ cidr, except: z.array(cidr).nullish() }).superRefine((block, context) => {
  const outer = parseCidr(block.cidr);
  for (const [index, text] of (block.except ?? []).entries()) {
    const inner = parseCidr(text);
    if (outer === undefined || inner === undefined) continue;
    const within = inner.family === outer.family && inner.first >= outer.first && inner.last <= outer.last;
    if (!within || inner.prefixLength <= outer.prefixLength) {
      context.addIssue({ code: "custom", path: ["except", index], message: `must be a strict subset of ${block.cidr}` });
    }
  }
});
const peer = z
  .object({ podSelector: selector.nullish(), namespaceSelector: selector.nullish(), ipBlock: ipBlock.nullish() })
  .superRefine(({ podSelector, namespaceSelector, ipBlock: block }, context) => {
    if (!podSelector && !namespaceSelector && !block) context.addIssue({ code: "custom", message: "must specify a peer" });
    if (block && (podSelector || namespaceSelector)) {
      context.addIssue({ code: "custom", message: "may not specify both ipBlock and another peer" });
    }
  });

const portNumber = z.int().min(1).max(65_535);
const port = z
  .object({
    protocol: z.enum(["TCP", "UDP", "SCTP"]).nullish(),
    port: z
      .union([
        portNumber,
        z.string().regex(portName, "must be a port name: at most 15 of a-z 0-9 -, with a letter, no leading, trailing or doubled hyphen"),
      ])
      .nullish(),
    endPort: portNumber.nullish(),
  })
  .superRefine(({ port: from, endPort }, context) => {
    if (endPort == null) return;
    const refuse = (message: string) => context.addIssue({ code: "custom", path: ["endPort"], message });
    if (from == null) refuse("may not be specified when port is not specified");
    else if (typeof from === "string") refuse("may not be specified when port is a name");
    else if (endPort < from) refuse("must be greater than or equal to port");
  });

const policySchema = z.object({
  metadata: z.object({ namespace: z.string().min(1), name: z.string().max(253).regex(dnsSubdomain, "must be a DNS subdomain") }),
  spec: z.object({
    podSelector: selector,
    policyTypes: z
      .array(z.enum(["Ingress", "Egress"]))
      .max(2)
      .nullish(),
    ingress: z.array(z.object({ from: z.array(peer).nullish(), ports: z.array(port).nullish() })).nullish(),
    egress: z.array(z.object({ to: z.array(peer).nullish(), ports: z.array(port).nullish() })).nullish(),
  }),
});

export type ParsedPolicy =
  | { readonly ok: true; readonly policy: NetworkPolicy }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

/**
 * Reads a `networking.k8s.io/v1` NetworkPolicy with the API server's checks and defaults (`pkg/apis/networking/validation`). Unknown fields are
 * dropped, as the API server drops them; CIDRs lose their host bits. What the API server would refuse is refused with every bad field named.
 */
export function parseNetworkPolicy(object: unknown): ParsedPolicy {
  const parsed = policySchema.safeParse(object);
  if (!parsed.success) return { ok: false, issues: issuesOf(parsed.error, object, () => false) };
  const { metadata, spec } = parsed.data;
  // With nothing said, a policy is about ingress, and about egress when it has egress rules (SetDefaults_NetworkPolicy).
  const types = spec.policyTypes?.length ? spec.policyTypes : ["Ingress", ...(spec.egress?.length ? ["Egress"] : [])];
  const rules = (list: readonly { peers?: readonly ParsedPeer[] | null; ports?: readonly ParsedPort[] | null }[]) =>
    list.map(({ peers, ports }) => readRule(metadata.namespace, peers ?? [], ports ?? []));
  return {
    ok: true,
    policy: {
      ...metadata,
      podSelector: spec.podSelector,
      ...(types.includes("Ingress")
        ? { ingress: rules((spec.ingress ?? []).map(({ from, ports }) => ({ peers: from ?? null, ports: ports ?? null }))) }
        : {}),
      ...(types.includes("Egress")
        ? { egress: rules((spec.egress ?? []).map(({ to, ports }) => ({ peers: to ?? null, ports: ports ?? null }))) }
        : {}),
    },
  };
}

type ParsedPeer = z.infer<typeof peer>;
type ParsedPort = z.infer<typeof port>;

function readRule(namespace: string, peers: readonly ParsedPeer[], ports: readonly ParsedPort[]): Rule {
  return {
    ...(peers.length > 0 ? { peers: peers.map((item) => readPeer(namespace, item)) } : {}),
    ...(ports.length > 0 ? { ports: ports.map(readPort) } : {}),
  };
}

function readPeer(namespace: string, { podSelector, namespaceSelector, ipBlock: block }: ParsedPeer): Peer {
  if (block) return blockPeer(block.cidr, block.except ?? []);
  return podPeer(namespaceSelector ? { namespaces: namespaceSelector } : { namespace }, podSelector ?? compileSelector({}));
}

/** A peer of pods, with its canonical key. */
export function podPeer(scope: PodPeer["scope"], pods: LabelMatcher): PodPeer {
  const where = "namespace" in scope ? `ns ${scope.namespace}` : `namespaces [${scope.namespaces.key}]`;
  return { kind: "pods", scope, pods, key: `${where} pods [${pods.key}]` };
}

function blockPeer(outer: string, exceptions: readonly string[]): BlockPeer {
  const except = [...new Set(exceptions)].toSorted();
  return { kind: "block", cidr: outer, except, key: `block ${outer}${except.map((inner) => ` -${inner}`).join("")}` };
}

function readPort({ protocol, port: from, endPort }: ParsedPort): PortRange | PortName {
  const named = protocol ?? "TCP";
  if (from == null) return { protocol: named, from: 0, to: 65_535 };
  if (typeof from === "string") return { protocol: named, name: from };
  return { protocol: named, from, to: endPort ?? from };
}
