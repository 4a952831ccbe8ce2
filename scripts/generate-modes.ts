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

The fast path (\`datapathv2\`) is decided already and not part of this release: a node for which it is decided connects its pods without it.

${Object.values(nodeModeTable).map(part).join("\n")}
## VPC mode

\`--daemon-mode VPC\` (and \`ENIDirectIP\`) is refused at start: pods there had addresses of the node's own route entries, and no release has
it any more. Use \`ENIMultiIP\`, the default, in which pods share ENIs; for a whole ENI for each pod label the node \`${exclusiveModeLabel}=eniOnly\`.
`;
}
