import type { PolicyCompiler } from "../compiler.ts";
import type { NetworkPolicy } from "../objects.ts";
import { parseNetworkPolicy } from "../parse-policy.ts";
import type { ApiCluster, ApiPolicy } from "./api.ts";

/** Who is told. */
export type Told = Pick<PolicyCompiler, "setNamespace" | "deleteNamespace" | "setPod" | "deletePod" | "deletePolicy"> & {
  setPolicy(policy: NetworkPolicy): unknown;
};

/** One object that comes or goes. */
export type Event = (compiler: Told) => void;

export function setPolicy(compiler: Pick<Told, "setPolicy">, object: ApiPolicy): void {
  const parsed = parseNetworkPolicy(object);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  compiler.setPolicy(parsed.policy);
}

/** Everything of the cluster comes. */
export function arrivals({ namespaces, pods, policies }: ApiCluster): Event[] {
  return [
    ...namespaces.map(
      ({ name, labels }): Event =>
        (compiler) =>
          compiler.setNamespace(name, labels),
    ),
    ...pods.map(
      (pod): Event =>
        (compiler) =>
          compiler.setPod(pod),
    ),
    ...policies.map(
      (policy): Event =>
        (compiler) =>
          setPolicy(compiler, policy),
    ),
  ];
}

/** Everything of the cluster goes. */
export function departures({ namespaces, pods, policies }: ApiCluster): Event[] {
  return [
    ...namespaces.map(
      ({ name }): Event =>
        (compiler) =>
          compiler.deleteNamespace(name),
    ),
    ...pods.map(
      ({ namespace, name }): Event =>
        (compiler) =>
          compiler.deletePod(namespace, name),
    ),
    ...policies.map(
      ({ metadata }): Event =>
        (compiler) =>
          compiler.deletePolicy(metadata.namespace, metadata.name),
    ),
  ];
}

/** A shuffled copy; `dice` gives non-negative integers. */
export function shuffled<T>(items: readonly T[], dice: Iterator<number>): T[] {
  const copy = [...items];
  for (let index = copy.length - 1; index > 0; index -= 1) {
    const other = (dice.next().value ?? 0) % (index + 1);
    const [a, b] = [copy[index], copy[other]];
    if (a !== undefined && b !== undefined) [copy[index], copy[other]] = [b, a];
  }
  return copy;
}
