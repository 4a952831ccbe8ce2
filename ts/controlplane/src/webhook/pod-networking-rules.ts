import { type PodNetworking, podNetworkingSchema } from "@terway/model";
import { allocationTypeSchema, readAnnotation } from "../network/annotations.ts";
import { eniConfOf, networkDefaults } from "../network/defaults.ts";
import { type AdmissionRequest, denied, type PatchOperation, type Verdict } from "./review.ts";
import type { WebhookParts } from "./webhook-parts.ts";

/** vSwitches and groups that it leaves out are those of `eni-config`. */
export function mutatePodNetworking({ informers }: WebhookParts, request: AdmissionRequest): Verdict {
  const { spec } = readPodNetworking(request);
  const { vSwitchIds, securityGroupIds } = networkDefaults(eniConfOf(informers.configMaps.objects, undefined));
  const patch: PatchOperation[] = [];
  if (spec === undefined) patch.push({ op: "add", path: "/spec", value: {} });
  if ((spec?.vSwitchOptions ?? []).length === 0 && vSwitchIds.length > 0)
    patch.push({ op: "add", path: "/spec/vSwitchOptions", value: vSwitchIds });
  if ((spec?.securityGroupIDs ?? []).length === 0 && securityGroupIds.length > 0)
    patch.push({ op: "add", path: "/spec/securityGroupIDs", value: securityGroupIds });
  return { kind: "allowed", patch };
}

/** Most security groups of an ENI. */
const mostGroups = 10;

/** Creations and changes alike. */
export function validatePodNetworking({ config }: Pick<WebhookParts, "config">, request: AdmissionRequest): Verdict {
  const { spec } = readPodNetworking(request);
  const { vSwitchOptions = [], securityGroupIDs = [], allocationType = {}, selector, eniOptions } = spec ?? {};
  if (vSwitchOptions.length === 0) return denied("spec.vSwitchOptions", "names no vSwitch, and eni-config has none either");
  if (securityGroupIDs.length === 0) return denied("spec.securityGroupIDs", "names no security group, and eni-config has none either");
  if (securityGroupIDs.length > mostGroups)
    return denied("spec.securityGroupIDs", `names ${securityGroupIDs.length} groups; an ENI takes at most ${mostGroups}`);
  const allocation = readAnnotation("spec.allocationType", allocationType, allocationTypeSchema);
  if (!allocation.ok) return denied(allocation.field, allocation.message);
  for (const which of ["podSelector", "namespaceSelector"] as const) {
    const wrong = (selector?.[which]?.matchExpressions ?? []).findIndex(({ operator }) => !operators.includes(operator));
    if (wrong >= 0) return denied(`spec.selector.${which}.matchExpressions[${wrong}].operator`, `must be one of ${operators.join(", ")}`);
  }
  const noSelector = selector?.podSelector === undefined && selector?.namespaceSelector === undefined;
  const eniType = eniOptions?.eniType ?? "Default";
  if (!config.injectResources && noSelector && eniType !== "Default")
    return denied("spec.eniOptions.eniType", `is ${eniType}, but without selectors and without injected resources it must be Default`);
  return { kind: "allowed" };
}

const operators = ["In", "NotIn", "Exists", "DoesNotExist"];

function readPodNetworking({ object }: AdmissionRequest): PodNetworking {
  const raw = object as { readonly metadata?: object };
  return podNetworkingSchema.parse({ ...raw, metadata: { name: "new", ...raw.metadata } });
}
