import { choiceColumns, choiceTable, fallbackColumns, fallbackTable } from "@terway/controlplane";
import { code, generatedBy, table } from "./generate-markdown.ts";

export function podNetworkPage(): string {
  const columns = Object.keys(choiceColumns) as (keyof typeof choiceColumns)[];
  const rows = choiceTable.map(({ when, gives }) => [
    ...columns.map((column) => when[column] ?? ""),
    gives.startsWith("refused") ? gives : code(gives),
  ]);
  const fallback = Object.keys(fallbackColumns) as (keyof typeof fallbackColumns)[];
  return `${generatedBy("ts/controlplane/src/network/choice-table.ts")}

# Which network a pod gets

Decided when the pod is created, by the webhook; by the control plane again where no webhook has seen the pod. An empty cell does not matter, and the first row
that fits counts. \`shared\` is an address of an ENI that pods of the node share; everything else is an ENI of the pod's own. What is refused is refused at
admission, with the field that stands here.

${table([...columns, "the pod gets"], rows)}

${table(
  ["column", "what it is"],
  Object.entries(choiceColumns).map(([name, meaning]) => [name, meaning]),
)}

vSwitches, security groups and the resource group that the source leaves out come from \`eni-config\`. \`pod-ip\` is no network of its own: the address goes to \`eth0\` of
whatever the pod gets. A PodNetworking that is not \`Ready\` keeps the pods that it selects from starting without it.

## When no ENI can be had

A limit is reached: the node, the account or the vSwitches have no room for another ENI. What the pod does then:

${table(
  [...fallback, "the pod"],
  fallbackTable.map(({ when, gives }) => [...fallback.map((column) => when[column] ?? ""), gives]),
)}

${table(
  ["column", "what it is"],
  Object.entries(fallbackColumns).map(([name, meaning]) => [name, meaning]),
)}

\`waits\`: it is tried again, and the event \`CreateENIFailed\` or \`AttachENIFailed\` tells why. \`shared\`: the pod takes an address of an ENI that pods of its node share; the event
\`VirtualModeChanged\` says so, and annotation \`k8s.aliyun.com/pod-eni\` becomes \`"false"\`. Such pods get no request for \`aliyun/member-eni\`, because the scheduler would let them wait.
`;
}
