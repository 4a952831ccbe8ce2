import { readdir, readFile, readlink } from "node:fs/promises";
import type { KubernetesCluster } from "@terway/lab";

/** A network namespace of a pod that lives, as its kernel has it. */
export interface LiveSandbox {
  readonly node: string;
  /** Control group of a process in it; names the pod. */
  readonly group: string;
  readonly addresses: readonly string[];
}

/** Every pod's network namespace on the cluster's nodes and the addresses in it, asked of the kernel alone. Processes that end meanwhile are left out. */
export async function liveSandboxes({ nodes }: KubernetesCluster): Promise<LiveSandbox[]> {
  const groups = nodes.map(({ on }) => ({ node: on.name, root: `${on.node.podCgroup.replace(/\/pods$/, "")}/` }));
  const byNamespace = new Map<string, number[]>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const namespace = await readlink(`/proc/${name}/ns/net`).catch(() => undefined);
    if (namespace !== undefined) byNamespace.set(namespace, [...(byNamespace.get(namespace) ?? []), Number(name)]);
  }
  const found: LiveSandbox[] = [];
  for (const pids of byNamespace.values()) {
    for (const pid of pids) {
      const group = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
      const at = groups.find(({ root }) => group.includes(root));
      // The node's own programs stand in a group beside those of its pods.
      if (at === undefined || group.includes(`${at.root}system`)) continue;
      const addresses = await addressesIn(pid).catch(() => undefined);
      if (addresses === undefined) continue;
      found.push({ node: at.node, group: group.split("\n")[0] ?? "", addresses });
      break;
    }
  }
  return found;
}

/** Addresses of the process's network namespace, without loopback and link-local ones. */
async function addressesIn(pid: number): Promise<string[]> {
  const trie = await readFile(`/proc/${pid}/net/fib_trie`, "utf8");
  const ipv4 = [...trie.matchAll(/\|-- ([\d.]+)\n\s+\/32 host LOCAL/g)].flatMap(([, address = ""]) =>
    address.startsWith("127.") ? [] : [address],
  );
  const table = await readFile(`/proc/${pid}/net/if_inet6`, "utf8").catch(() => "");
  const global = "00";
  const ipv6 = table.split("\n").flatMap((line) => {
    const [hex = "", , , scope] = line.split(/\s+/);
    return scope === global ? [hex.replace(/(.{4})(?=.)/g, "$1:")] : [];
  });
  return [...new Set([...ipv4, ...ipv6])];
}
