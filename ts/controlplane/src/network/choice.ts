import { annotation, type Read } from "./annotations.ts";
import { complete } from "./complete.ts";
import { contradiction } from "./contradiction.ts";
import { ofPlain, ofPodNetworks } from "./of-annotations.ts";
import { ofPodNetworking, ofRequest } from "./of-pod-networking.ts";
import { type Annotations, bare, type ChoiceInput, type NetworkChoice, type NetworkSource, type Own, ok, said } from "./wanted.ts";

/** Which network a pod gets. Pure; what contradicts itself is refused with the field's name. docs/reference/pod-network.md is its table. */
export function chooseNetwork(input: ChoiceInput): NetworkChoice {
  const { annotations } = input.pod.metadata;
  const conflict = contradiction(annotations);
  if (conflict !== undefined) return conflict;
  // Upstream's way for a pod to decline what its labels or its namespace would give it.
  if (annotations[annotation.podEni] === "false") return { kind: "shared" };
  for (const [source, read] of sources) {
    const found = read(input);
    if (found === undefined) continue;
    if (!found.ok) return { kind: "refused", field: found.field, message: found.message };
    return complete(source, found.value, input);
  }
  return { kind: "shared" };
}

const sources: readonly (readonly [NetworkSource, (input: ChoiceInput) => Read<Own> | undefined])[] = [
  ["pod-networks", ({ pod }) => ofPodNetworks(pod.metadata.annotations[annotation.podNetworks])],
  ["pod-networks-request", (input) => ofRequest(input)],
  ["pod annotations", ({ pod }) => ofPlain(pod.metadata.annotations)],
  ["PodNetworking", (input) => ofPodNetworking(input)],
  [
    "namespace annotations",
    ({ pod, namespace }) => (declines(pod.metadata.annotations) ? undefined : ofPlain(namespace?.metadata.annotations ?? {})),
  ],
  [
    "eni-config",
    ({ pod, ownEnisForAll }) => (ownEnisForAll || asksForOwn(pod.metadata.annotations) ? ok({ interfaces: [bare] }) : undefined),
  ],
];

/** Its namespace's wish does not count for this pod. */
const declines = (annotations: Annotations) => annotations[annotation.trunkOn] === "false";
const asksForOwn = (annotations: Annotations) => annotations[annotation.podEni] === "true" || said(annotations, annotation.podIp);
