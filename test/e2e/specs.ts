import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** A spec that is left out, and why. */
export interface Omission {
  readonly spec: string;
  readonly reason: string;
}

/** What the suite means for a network plugin: conformance of the network group, both address families, host ports, NetworkPolicy. */
export function isWanted(spec: string): boolean {
  if (!spec.startsWith("[sig-network] ")) return false;
  return /\[Conformance\]|\[Feature:IPv6DualStack\]|\bHostPort\b|\] Netpol\b/.test(spec);
}

/** The specs that run, one a line. */
export async function readSpecs(): Promise<string[]> {
  return lines(await readFile(fileURLToPath(new URL("specs.txt", import.meta.url)), "utf8"));
}

/** The specs that are left out: a line beginning with `#` is the reason of those below it. */
export async function readOmissions(): Promise<Omission[]> {
  const omissions: Omission[] = [];
  let reason = "";
  for (const line of lines(await readFile(fileURLToPath(new URL("omitted.txt", import.meta.url)), "utf8"))) {
    if (line.startsWith("#")) reason = line.slice(1).trim();
    else omissions.push({ spec: line, reason });
  }
  return omissions;
}

/** What the lists lack of the suite's wanted specs, and what they name that the suite does not have; empty when they fit. */
export function misfits(suite: readonly string[], specs: readonly string[], omissions: readonly Omission[]): string[] {
  const listed = new Set([...specs, ...omissions.map(({ spec }) => spec)]);
  const there = new Set(suite);
  return [
    ...suite.filter((spec) => isWanted(spec) && !listed.has(spec)).map((spec) => `in neither list: ${spec}`),
    ...[...listed].filter((spec) => !there.has(spec)).map((spec) => `not in the suite: ${spec}`),
  ];
}

/** Ginkgo's focus for exactly these specs: it looks at the suite's description, a space and the spec's whole name. */
export function focusOf(specs: readonly string[]): string {
  return `^Kubernetes e2e suite (?:${specs.map((spec) => spec.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})$`;
}

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
