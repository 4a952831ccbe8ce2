import { join } from "node:path";
import type { ClusterNode } from "../lab/cluster-node.ts";
import { daemonSocket } from "../lab/cluster-node.ts";
import type { Lab } from "../lab/lab.ts";
import { repositoryRoot } from "../node/node.ts";
import type { DemoPod } from "./pods.ts";

/** What --keep prints: commands that work as they stand. */
export function lookAround(lab: Lab, nodes: readonly ClusterNode[], pods: readonly DemoPod[]): string {
  const cli = join(repositoryRoot, "dist/terway-cli");
  const lines = [`The lab "${lab.directory.id}" is left running. Look around:`, ""];
  for (const { name, node } of nodes) {
    lines.push(`  # ${name}: a shell on it, its addresses, its log`, `  ${node.command(["bash"]).join(" ")}`);
    lines.push(`  ${cli} --socket ${node.path(daemonSocket)} mapping`, `  tail -f ${node.log("terwayd")}`);
  }
  const [first] = pods;
  const target = pods.find((pod) => pod.on !== first?.on);
  if (first !== undefined && target !== undefined) {
    lines.push(
      `  # from pod ${first.name} to ${target.name}`,
      `  nsenter --net=${first.on.node.path(first.netns)} ping -c 3 ${target.ipv4}`,
    );
  }
  const control = `curl -s --unix-socket ${lab.directory.controlSocket} http://lab`;
  lines.push("  # the VPC: what it routes, what it has dropped and why", `  ip -n tw-${lab.directory.id}-vpc route`);
  lines.push(`  nsenter --net=/run/netns/tw-${lab.directory.id}-vpc nft list counters`);
  lines.push("  # the cloud: every call so far; then a fault for the next ones", `  ${control}/v1/counters`);
  lines.push(`  ${control}/v1/catalogue`, "", `Remove it: ${downCommand(lab.directory.id)}`);
  return lines.join("\n");
}

/** The command that removes a lab. */
export function downCommand(id: string): string {
  return `npm run demo -- --down${id === "demo" ? "" : ` --id ${id}`}`;
}
