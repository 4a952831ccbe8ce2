import { NoCluster, openReader, type Reader } from "../inspect/api.ts";
import { inspectCluster } from "../inspect/cluster.ts";
import type { Fact } from "../inspect/fact.ts";
import { inspectNode } from "../inspect/node.ts";
import { inspectPod } from "../inspect/pod.ts";
import { json, type Output, paint, table } from "../output.ts";

/** Sections with aligned names and values; as JSON, the facts themselves. */
export function printFacts(facts: readonly Fact[], output: Output): void {
  if (output.json) {
    json(output, facts);
    return;
  }
  for (const title of new Set(facts.map((fact) => fact.section))) {
    output.write(`${paint(output, "bold", title)}\n`);
    const rows = facts.filter((fact) => fact.section === title).map(({ name, value, note }) => [`  ${name}`, value, note ?? ""]);
    table(output, ["", "", ""], rows);
  }
}

/** Prints the facts, or answers why there are none. */
export async function inspect(
  what: string,
  names: readonly string[],
  kubeconfig: string | undefined,
  output: Output,
): Promise<{ readonly status: "usage" | "away" | "refused"; readonly message: string } | undefined> {
  const wrong = usage(what, names);
  if (wrong !== undefined) return { status: "usage", message: wrong };
  try {
    const facts = await collect(await openReader(kubeconfig), what, names);
    if (typeof facts === "string") return { status: "refused", message: facts };
    printFacts(facts, output);
    return undefined;
  } catch (error) {
    if (error instanceof NoCluster) return { status: "away", message: error.message };
    throw error;
  }
}

function usage(what: string, names: readonly string[]): string | undefined {
  if (what === "cluster") return names.length === 0 ? undefined : "inspect cluster takes no names";
  if (what === "node") return names.length > 0 ? undefined : "inspect node NAME...: no name is given";
  if (what === "pod") return names.length === 2 ? undefined : "inspect pod NAMESPACE POD: both names are needed";
  return `inspect ${what}: only cluster, node and pod can be inspected`;
}

/** The facts, or the name of what is not there. */
export async function collect(reader: Reader, what: string, names: readonly string[]): Promise<Fact[] | string> {
  if (what === "cluster") return inspectCluster(reader);
  if (what === "pod") {
    const [namespace = "", name = ""] = names;
    return (await inspectPod(reader, namespace, name)) ?? `there is no pod ${namespace}/${name}`;
  }
  const all: Fact[] = [];
  for (const name of names) {
    const facts = await inspectNode(reader, name);
    if (facts === undefined) return `there is no node ${name}`;
    all.push(...facts);
  }
  return all;
}
