import { annotation } from "./annotations.ts";
import { type ChoiceInput, type NetworkSource, said, type WantedInterface } from "./wanted.ts";

/** What decides whether a pod may take a shared address when no ENI of its own can be had. */
export const fallbackColumns = {
  "opt-in": "`fallbackToSharedENI: true` in `ctrl-config.yaml`, and not `ipamType: crd`",
  "spelled out": `annotation ${annotation.podNetworks} or ${annotation.podNetworksRequest} of the pod`,
  names: `the pod, its namespace or its PodNetworking names security groups, vSwitches or a resource group other than those of eni-config; or the pod has ${annotation.securityGroupId}, ${annotation.vSwitchId} or ${annotation.podIp}, whatever they say`,
  special: "a fixed address, a whole ENI, a traffic mode or routes are asked for",
} as const;
export type FallbackColumn = keyof typeof fallbackColumns;

export interface FallbackRow {
  /** Absent: it does not matter. */
  readonly when: Partial<Record<FallbackColumn, "yes" | "no">>;
  readonly gives: "waits" | "shared";
}

/** The first row that fits counts. */
export const fallbackTable: readonly FallbackRow[] = [
  { when: { "opt-in": "no" }, gives: "waits" },
  { when: { "spelled out": "yes" }, gives: "waits" },
  { when: { names: "yes" }, gives: "waits" },
  { when: { special: "yes" }, gives: "waits" },
  { when: {}, gives: "shared" },
];

/** Whether a shared address is as good as an ENI of the pod's own, should that not be had: nothing that somebody asked for is lost by it. */
export function mayFallBack(found: NetworkSource, interfaces: readonly WantedInterface[], input: ChoiceInput): boolean {
  const { pod, namespace, defaults, fallback = false, ownEnisForAll } = input;
  const { annotations } = pod.metadata;
  // What the webhook wrote has its own source beside it.
  const source = annotations[annotation.source] || found;
  const [one, second] = interfaces;
  if (!fallback || ownEnisForAll || one === undefined || second !== undefined) return false;
  if (source === "pod-networks" || source === "pod-networks-request") return false;
  const { securityGroupId, vSwitchId, podIp } = annotation;
  if ([securityGroupId, vSwitchId, podIp].some((name) => said(annotations, name))) return false;
  const ofNamespace = source === "namespace annotations" ? (namespace?.metadata.annotations ?? {}) : {};
  if ([securityGroupId, vSwitchId].some((name) => said(ofNamespace, name))) return false;
  const usual = same(one.securityGroupIds, defaults.securityGroupIds) && same(one.vSwitchIds, defaults.vSwitchIds);
  if (!usual || one.resourceGroupId !== defaults.resourceGroupId) return false;
  const { eniType, trafficMode, extraRoutes, allocation } = one;
  return eniType !== "ENI" && trafficMode === undefined && extraRoutes.length === 0 && allocation.type !== "Fixed";
}

const same = (some: readonly string[], others: readonly string[]) =>
  some.length === others.length && some.every((one) => others.includes(one));
