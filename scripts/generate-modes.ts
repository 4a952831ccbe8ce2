import { exclusiveModeLabel, type ModeTablePart, modeKeyShape, nodeModeTable, oldestKernel } from "@terway/model";
import { code, generatedBy, table } from "./generate-markdown.ts";

function part({ title, note, when, gives, rows }: ModeTablePart): string {
  const cells = rows.map((row) => [
    ...when.map((column) => row.when[column]?.map(code).join(", ") ?? ""),
    ...gives.map((column) => (row.gives[column] ? code(row.gives[column]) : "")),
  ]);
  return `## ${title}\n\n${note}\n\n${table([...when.map((column) => (column in modeKeyShape ? code(column) : column)), ...gives], cells)}\n`;
}

export function modesPage(): string {
  return `${generatedBy("ts/model/src/node-mode-table.ts")}

# Modes

How a node connects its pods is decided once, when terwayd starts, from \`eni_conf\`, \`10-terway.conf\`, the node's label
\`${exclusiveModeLabel}\`, what the kernel can do, and what pods that live on the node run. An empty cell of an input means that it does not matter.

The kernel is asked by making each thing and removing it again, once for each boot. Below Linux ${oldestKernel.major}.${oldestKernel.minor} terwayd does not start.
What was asked for and cannot be done is told by the event \`VirtualModeChanged\` with the kernel's reason, and the node goes on with less.

While pods live on a node it keeps its modes: an upgrade or a changed key flips nothing, new pods follow the old ones, and a ConfigError
says what waits. When no pod is left, the next start of terwayd takes the new configuration. \`terway-cli show network_service\` shows the modes in use.

| mode | what the pod has |
|---|---|
| \`policy_route\` | a veth pair, host routes and policy rules on the node |
| \`netkit\` | the same with a netkit pair |
| \`ipvlan\` | an IPvlan L2 slave of the shared ENI |
| \`vlan\` | an 802.1Q link of the trunk ENI |
| \`exclusive\` | the ENI itself, and a veth pair to the node |

The fast path (\`datapathv2\`): kernel programs on pods' links and ENIs hand packets from link to link past the node's stack. A flow gets its path with its
first packet by one look into the node's routes, which is repeated once a second while packets come; NetworkPolicy is judged on the way. By the stack go, in both
directions: Services (\`service_cidr\`) and \`host_stack_cidrs\`, the node and its ports, what comes in or leaves by another interface than the pod's ENI, pods
with a limit on what they get, fragments, packets with options, too large for the link or without hops left. Without \`service_cidr\` it stays off, and the event says so.
The node's firewall and NAT see nothing of what goes past them: list the destinations for which they must in \`host_stack_cidrs\`, also the addresses of load balancers
that pods shall reach inside the node. More: [the decision](../adr/0026-the-fast-path.md).

${Object.values(nodeModeTable).map(part).join("\n")}
## VPC mode

\`--daemon-mode VPC\` (and \`ENIDirectIP\`) is refused at start: pods there had addresses of the node's own route entries, and no release has
it any more. Use \`ENIMultiIP\`, the default, in which pods share ENIs; for a whole ENI for each pod label the node \`${exclusiveModeLabel}=eniOnly\`.
`;
}
