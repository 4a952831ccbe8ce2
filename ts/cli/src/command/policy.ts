import { type PolicyDrops, type PolicyJudged, type PolicyView, policyDropsSchema, policyViewSchema } from "@terway/model";
import { ask } from "../client.ts";
import { json, type Output, paint, table } from "../output.ts";

/** How often new drops are asked for. */
const lookMs = 500;
const protocols: Readonly<Record<number, string>> = { 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP" };

/** What judges the packets of this node's pods; of one of them, by `namespace/name`, every rule. False when there is no such pod. */
export async function policy(socket: string, pod: string | undefined, output: Output): Promise<boolean> {
  const view = await ask(socket, "/policy", policyViewSchema);
  const pods = pod === undefined ? view.pods : view.pods.filter((one) => one.pod === pod);
  if (output.json) json(output, { ...view, pods });
  else if (pod === undefined) overview(view, output);
  else for (const one of pods) onePod(one, output);
  return pod === undefined || pods.length > 0;
}

function overview({ state, pods, reasons }: PolicyView, output: Output): void {
  output.write(`${paint(output, "bold", "NetworkPolicy")}: ${state}\n`);
  table(
    output,
    ["POD", "STATE", "INGRESS", "EGRESS", "DENIED"],
    pods.map(({ pod, state: of, judged }) => {
      const denied = judged.reduce((all, { denied: { packets } }) => all + packets, 0);
      return [pod, of, ...judged.map(summary), denied === 0 ? "0" : paint(output, "yellow", String(denied))];
    }),
  );
  const seen = reasons.filter(({ packets }) => packets > 0);
  table(
    output,
    ["PACKETS", "BYTES", "WHAT BECAME OF THEM"],
    seen.map(({ reason, packets, bytes }) => [String(packets), String(bytes), reason]),
  );
}

function summary({ set, policies, rules, pending }: PolicyJudged): string {
  if (set === undefined) return pending ? "open soon" : "open";
  return `${policies.join(",")} (${rules.length} ${rules.length === 1 ? "rule" : "rules"})${pending ? ", pending" : ""}`;
}

function onePod({ pod, state, endpoint, addresses, judged }: PolicyView["pods"][number], output: Output): void {
  output.write(`${paint(output, "bold", pod)}: ${state}, interface ${endpoint}, ${addresses.join(", ")}\n`);
  for (const { direction, set, policies, rules, denied, former, pending } of judged) {
    if (set === undefined) {
      output.write(`${direction}: no policy isolates it${pending ? "; the kernel does not have that yet" : ""}\n`);
      continue;
    }
    output.write(`${direction}: ${policies.join(", ")}; set ${set}${pending ? "; the kernel does not have it yet" : ""}\n`);
    const counted = [
      ...rules.map((rule) => ({ ...rule, of: rule.policies.join(",") })),
      { ...denied, text: "everything else", of: "denied" },
      ...(former.packets === 0 ? [] : [{ ...former, text: "rules that are gone", of: "" }]),
    ];
    table(
      output,
      ["  FIRST PACKETS", "BYTES", "ALLOWED", "BY"],
      counted.map(({ packets, bytes, text, of }) => [`  ${packets}`, String(bytes), text, of]),
    );
  }
}

/** Tells of dropped packets as they come, until the signal ends it. The kernel keeps some of each second's, not all. */
export async function followDrops(socket: string, pod: string | undefined, output: Output, signal: AbortSignal): Promise<void> {
  let after: number | undefined;
  while (!signal.aborted) {
    const { last, drops } = await ask(socket, `/policy/drops?after=${after ?? 0}`, policyDropsSchema);
    // What was dropped before somebody looked is told too; a daemon that has been restarted counts anew.
    after = last;
    for (const drop of drops)
      if (pod === undefined || drop.pod === pod) output.write(`${output.json ? JSON.stringify(drop) : lineOf(drop, output)}\n`);
    await new Promise((resolve) => {
      setTimeout(resolve, lookMs);
    });
  }
}

function lineOf(drop: PolicyDrops["drops"][number], output: Output): string {
  const { atMs, pod, direction, reason, protocol, source, destination, sourcePort, destinationPort, length } = drop;
  const end = (address: string, port: number) => (port === 0 ? address : `${address.includes(":") ? `[${address}]` : address}:${port}`);
  const path = `${end(source, sourcePort)} -> ${end(destination, destinationPort)}`;
  const when = new Date(atMs).toISOString();
  return `${when} ${pod} ${direction} ${protocols[protocol] ?? `protocol ${protocol}`} ${path} ${length} bytes ${paint(output, "yellow", reason)}`;
}
