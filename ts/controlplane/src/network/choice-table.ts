import { annotation } from "./annotations.ts";
import type { NetworkSource } from "./wanted.ts";

/** What a pod and its surroundings may say of its network. */
export const choiceColumns = {
  "pod-networks": `annotation ${annotation.podNetworks} of the pod`,
  "pod-networks-request": `annotation ${annotation.podNetworksRequest} of the pod`,
  "pod-networking": `annotation ${annotation.podNetworking} of the pod`,
  "pod annotations": `annotations ${annotation.trunkOn}, ${annotation.securityGroupId}, ${annotation.vSwitchId} of the pod`,
  "pod-eni false": `annotation ${annotation.podEni}="false" of the pod`,
  PodNetworking: "a PodNetworking whose selectors match",
  "namespace annotations": "the annotations of the documents on the pod's namespace",
  "own for all": `annotation ${annotation.podEni}="true" or ${annotation.podIp} of the pod, or \`ipamType: crd\``,
} as const;
export type ChoiceColumn = keyof typeof choiceColumns;

export interface ChoiceRow {
  /** Absent: it does not matter. */
  readonly when: Partial<Record<ChoiceColumn, "yes" | "no">>;
  readonly gives: NetworkSource | "shared" | `refused: ${string}`;
}

/** The first row that fits counts. */
export const choiceTable: readonly ChoiceRow[] = [
  { when: { "pod-networks": "yes", "pod-networks-request": "yes" }, gives: `refused: ${annotation.podNetworksRequest}` },
  { when: { "pod-networks": "yes", "pod-networking": "yes" }, gives: `refused: ${annotation.podNetworking}` },
  { when: { "pod-networks-request": "yes", "pod-networking": "yes" }, gives: `refused: ${annotation.podNetworking}` },
  { when: { "pod-networks": "yes", "pod annotations": "yes" }, gives: `refused: ${annotation.trunkOn}` },
  { when: { "pod-networks-request": "yes", "pod annotations": "yes" }, gives: `refused: ${annotation.trunkOn}` },
  { when: { "pod-networking": "yes", "pod annotations": "yes" }, gives: `refused: ${annotation.trunkOn}` },
  { when: { "pod-networks": "yes", "pod-eni false": "yes" }, gives: `refused: ${annotation.podEni}` },
  { when: { "pod-networks-request": "yes", "pod-eni false": "yes" }, gives: `refused: ${annotation.podEni}` },
  { when: { "pod-networking": "yes", "pod-eni false": "yes" }, gives: `refused: ${annotation.podEni}` },
  { when: { "pod annotations": "yes", "pod-eni false": "yes" }, gives: `refused: ${annotation.podEni}` },
  { when: { "pod-eni false": "yes" }, gives: "shared" },
  { when: { "pod-networks": "yes" }, gives: "pod-networks" },
  { when: { "pod-networks-request": "yes" }, gives: "pod-networks-request" },
  { when: { "pod annotations": "yes" }, gives: "pod annotations" },
  { when: { "pod-networking": "yes" }, gives: "PodNetworking" },
  { when: { PodNetworking: "yes" }, gives: "PodNetworking" },
  { when: { "namespace annotations": "yes" }, gives: "namespace annotations" },
  { when: { "own for all": "yes" }, gives: "eni-config" },
  { when: {}, gives: "shared" },
];
