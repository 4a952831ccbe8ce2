import { exclusiveModeLabel } from "@terway/model";
import type { ClusterNode } from "./kinds.ts";
import { ignoreLabel, trunkOnAnnotation } from "./marks.ts";

/** What must be known of a node before an ENI can be attached to it. */
export interface NodeFacts {
  readonly name: string;
  readonly instanceId: string;
  readonly zoneId: string;
  /** Its pods have whole ENIs, and no trunk. */
  readonly exclusive: boolean;
  /** As an annotation says it. */
  readonly trunkId?: string;
}

/** The facts, or a sentence that says what is missing. */
export function nodeFacts(node: ClusterNode | undefined, name: string, wantedLabels: Readonly<Record<string, string>>): NodeFacts | string {
  if (node === undefined) return `node ${name} is not known`;
  const { labels, annotations } = node.metadata;
  if (labels[ignoreLabel] === "true") return `node ${name} has label ${ignoreLabel}`;
  const missing = Object.entries(wantedLabels).find(([label, value]) => labels[label] !== value);
  if (missing !== undefined) return `node ${name} has not label ${missing.join("=")}, which nodeLabelWhiteList asks for`;
  const instanceId = node.spec?.providerID?.split(/[./]/).at(-1);
  if (!instanceId) return `node ${name} has no spec.providerID, so its instance is not known`;
  const zoneId = labels["topology.kubernetes.io/zone"];
  if (!zoneId) return `node ${name} has no label topology.kubernetes.io/zone`;
  const trunkId = annotations[trunkOnAnnotation];
  const exclusive = labels[exclusiveModeLabel]?.toLowerCase() === "enionly";
  return { name, instanceId, zoneId, exclusive, ...(trunkId ? { trunkId } : {}) };
}
