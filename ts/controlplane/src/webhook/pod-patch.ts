import { z } from "zod";
import { annotation, type PodNetworksAnnotation } from "../network/annotations.ts";
import type { NetworkChoice, WantedInterface } from "../network/wanted.ts";
import type { PatchOperation } from "./review.ts";

const resources = z
  .object({ requests: z.record(z.string(), z.unknown()).nullish(), limits: z.record(z.string(), z.unknown()).nullish() })
  .nullish();
const term = z.looseObject({ matchExpressions: z.array(z.unknown()).nullish() });
/** What of a Pod the patch depends on. */
export const patchedPodSchema = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).nullish() }),
  spec: z.object({
    containers: z.array(z.object({ resources })).default([]),
    affinity: z
      .object({
        nodeAffinity: z
          .object({ requiredDuringSchedulingIgnoredDuringExecution: z.object({ nodeSelectorTerms: z.array(term).default([]) }).nullish() })
          .nullish(),
      })
      .nullish(),
  }),
});
export type PatchedPod = z.infer<typeof patchedPodSchema>;

export interface PatchWish {
  readonly choice: Extract<NetworkChoice, { kind: "own" }>;
  /** Interfaces that leave it open become members of a trunk. */
  readonly trunk: boolean;
  readonly injectResources: boolean;
  /** Only nodes of these zones can have the pod; absent: any. */
  readonly zones?: readonly string[];
}

/** What the webhook writes into a pod that has ENIs of its own. Pure. */
export function podPatch(pod: PatchedPod, { choice, trunk, injectResources, zones }: PatchWish): PatchOperation[] {
  const networks: PodNetworksAnnotation = { podNetworks: choice.interfaces.map(networkOf) };
  const annotations = {
    ...pod.metadata.annotations,
    [annotation.podEni]: "true",
    [annotation.podNetworks]: JSON.stringify(networks),
    [annotation.source]: pod.metadata.annotations?.[annotation.source] ?? choice.source,
    ...(choice.podNetworking === undefined ? {} : { [annotation.podNetworking]: choice.podNetworking }),
  };
  return [
    { op: "add", path: "/metadata/annotations", value: annotations },
    ...(injectResources ? resourcePatch(pod, choice.interfaces, trunk) : []),
    ...(zones === undefined || zones.length === 0 ? [] : zonePatch(pod, zones)),
  ];
}

/** As upstream writes an entry. */
function networkOf(wanted: WantedInterface): PodNetworksAnnotation["podNetworks"][number] {
  return {
    vSwitchOptions: [...wanted.vSwitchIds],
    securityGroupIDs: [...wanted.securityGroupIds],
    interface: wanted.ifName,
    eniOptions: { eniType: wanted.eniType },
    vSwitchSelectOptions: { vSwitchSelectionPolicy: wanted.selection },
    ...(wanted.extraRoutes.length === 0 ? {} : { extraRoutes: wanted.extraRoutes.map((dst) => ({ dst })) }),
    ...(wanted.resourceGroupId === undefined ? {} : { resourceGroupID: wanted.resourceGroupId }),
    ...(wanted.trafficMode === undefined ? {} : { networkInterfaceTrafficMode: wanted.trafficMode }),
    ...(wanted.defaultRoute === undefined ? {} : { defaultRoute: wanted.defaultRoute }),
    ...(wanted.allocation.type === undefined ? {} : { allocationType: wanted.allocation }),
  };
}

/** The scheduler counts ENIs as the node's daemon offers them; the first container asks for the pod. */
function resourcePatch({ spec }: PatchedPod, interfaces: readonly WantedInterface[], trunk: boolean): PatchOperation[] {
  const [first] = spec.containers;
  if (first === undefined) return [];
  const member = interfaces.some(({ eniType }) => eniType === "Trunk") || (trunk && interfaces.every(({ eniType }) => eniType !== "ENI"));
  const wanted = { [member ? "aliyun/member-eni" : "aliyun/eni"]: String(interfaces.length) };
  const value = {
    ...first.resources,
    requests: { ...first.resources?.requests, ...wanted },
    limits: { ...first.resources?.limits, ...wanted },
  };
  return [{ op: "add", path: "/spec/containers/0/resources", value }];
}

/** Terms are alternatives: each must ask for the zone. */
function zonePatch({ spec }: PatchedPod, zones: readonly string[]): PatchOperation[] {
  const zone = { key: "topology.kubernetes.io/zone", operator: "In", values: [...zones] };
  const { affinity } = spec;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const nodeSelectorTerms =
    terms.length === 0
      ? [{ matchExpressions: [zone] }]
      : terms.map((one) => ({ ...one, matchExpressions: [...(one.matchExpressions ?? []), zone] }));
  const required = { nodeSelectorTerms };
  if (!affinity)
    return [{ op: "add", path: "/spec/affinity", value: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } }];
  if (!affinity.nodeAffinity)
    return [{ op: "add", path: "/spec/affinity/nodeAffinity", value: { requiredDuringSchedulingIgnoredDuringExecution: required } }];
  return [{ op: "add", path: "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution", value: required }];
}
