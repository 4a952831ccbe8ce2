import { run } from "../host/command.ts";
import { inNetNamespace } from "../host/netns.ts";
import type { ClusterNode } from "../lab/cluster-node.ts";
import type { Lab } from "../lab/lab.ts";

/** One kind of thing that was looked for, and what was found of it. */
export interface Check {
  readonly what: string;
  readonly found: readonly string[];
}

const listings: readonly { readonly what: string; readonly argv: readonly string[] }[] = [
  { what: "links", argv: ["ip", "-oneline", "-details", "link", "show"] },
  { what: "routes", argv: ["sh", "-c", "ip -4 route show table all; ip -6 route show table all"] },
  { what: "rules", argv: ["sh", "-c", "ip -4 rule show; ip -6 rule show"] },
  { what: "neighbours", argv: ["sh", "-c", "ip -4 neigh show nud permanent; ip -6 neigh show nud permanent"] },
];

/** What is pinned on the node: the kernel programs and their maps, one set for the node and all its pods. */
export async function pins(on: ClusterNode): Promise<string[]> {
  // The kernel itself puts two files into every new bpffs (CONFIG_BPF_PRELOAD).
  const foreign = ["!", "-name", "progs.debug", "!", "-name", "maps.debug"];
  const { stdout } = await on.node.run(["find", "/sys/fs/bpf", "-mindepth", "1", "-type", "f", ...foreign]);
  return stdout.split("\n").filter(Boolean);
}

/** What was not pinned before the pods. */
export async function strayPins(on: ClusterNode, before: readonly string[]): Promise<Check> {
  return { what: "map pins", found: (await pins(on)).filter((pin) => !before.includes(pin)) };
}

/** Lines about the pods in the node's own network namespace: their addresses, their host interfaces, our marks. Empty after their DELs. */
export async function podTraces(on: ClusterNode, addresses: readonly string[]): Promise<Check[]> {
  const marks = [/\bcali[0-9a-f]{11}\b/, /alias terway:/, ...addresses.map(wholeAddress)];
  const checks: Check[] = [];
  for (const { what, argv } of listings) {
    const { stdout } = await run(inNetNamespace(on.machine.netns, argv));
    checks.push({ what, found: stdout.split("\n").filter((line) => marks.some((mark) => mark.test(line))) });
  }
  const namespaces = await on.node.run(["ls", "/run/netns"]);
  checks.push({ what: "pod namespaces", found: namespaces.stdout.split("\n").filter(Boolean) });
  return checks;
}

/** Addresses that the cloud has on the node's ENIs and that neither the pool nor the node itself accounts for. */
export async function strayAddresses(lab: Lab, on: ClusterNode): Promise<Check[]> {
  const mapping = await on.mapping();
  const known = new Set(mapping.enis.flatMap((eni) => eni.addresses.map((one) => one.address)));
  const enis = (await lab.cloud.state()).enis.filter((eni) => eni.instanceId === on.machine.instanceId);
  const stray = enis
    // The primary ENI's own addresses belong to the node; the first address of any ENI goes with the ENI.
    .filter((eni) => eni.type !== "Primary")
    .flatMap((eni) => [...eni.ipv4.slice(1), ...eni.ipv6].map((address) => ({ address, eni: eni.id })))
    .filter(({ address }) => !known.has(address))
    .map(({ address, eni }) => `${address} on ${eni}`);
  return [
    { what: "leases", found: mapping.leases.map((lease) => `${lease.id} ${lease.addresses.join(", ")}`) },
    { what: "disagreements of cloud, journal and kernel", found: mapping.mismatches.map(({ object, problem }) => `${object}: ${problem}`) },
    { what: "addresses in the cloud beyond the pool", found: stray },
  ];
}

/** Matches the address and no longer one that begins with it, nor a network that does: the tree of rules has heads such as 10.0.1.32/27 (ADR 11). */
function wholeAddress(address: string): RegExp {
  return new RegExp(`(^|[^0-9a-f.:])${address.replaceAll(".", "\\.")}($|/(32|128)\\b|[^0-9a-f.:/])`);
}
