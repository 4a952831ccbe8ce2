import { type PodNetworking, podNetworkingSchema } from "@terway/model";
import { eniConfOf, networkDefaults } from "../network/defaults.ts";
import { wrongField } from "../network/pod-networking-spec.ts";
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

/** Creations and changes alike. */
export function validatePodNetworking({ config }: Pick<WebhookParts, "config">, request: AdmissionRequest): Verdict {
  const { spec } = readPodNetworking(request);
  const { vSwitchOptions = [], securityGroupIDs = [], selector, eniOptions } = spec ?? {};
  if (vSwitchOptions.length === 0) return denied("spec.vSwitchOptions", "names no vSwitch, and eni-config has none either");
  if (securityGroupIDs.length === 0) return denied("spec.securityGroupIDs", "names no security group, and eni-config has none either");
  const wrong = wrongField(spec);
  if (wrong !== undefined) return denied(wrong.field, wrong.message);
  const noSelector = selector?.podSelector === undefined && selector?.namespaceSelector === undefined;
  const eniType = eniOptions?.eniType ?? "Default";
  if (!config.injectResources && noSelector && eniType !== "Default")
    return denied("spec.eniOptions.eniType", `is ${eniType}, but without selectors and without injected resources it must be Default`);
  return { kind: "allowed" };
}

function readPodNetworking({ object }: AdmissionRequest): PodNetworking {
  const raw = object as { readonly metadata?: object };
  return podNetworkingSchema.parse({ ...raw, metadata: { name: "new", ...raw.metadata } });
}
