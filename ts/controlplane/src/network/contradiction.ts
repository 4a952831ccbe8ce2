import { annotation } from "./annotations.ts";
import { type Annotations, type NetworkChoice, said } from "./wanted.ts";

/** Annotations that cannot be meant together. */
export function contradiction(annotations: Annotations): NetworkChoice | undefined {
  const { podEni, podNetworks, podNetworksRequest, podNetworking, trunkOn, securityGroupId, vSwitchId, podIp, source } = annotation;
  const refused = (field: string, message: string) => ({ kind: "refused", field, message }) as const;
  // What the webhook has written is no second opinion of the user's.
  const whole = said(annotations, source) ? [] : [podNetworks, podNetworksRequest, podNetworking].filter((name) => said(annotations, name));
  const [first, second] = whole;
  if (first !== undefined && second !== undefined) return refused(second, `contradicts ${first}; keep one of them`);
  const plain = [trunkOn, securityGroupId, vSwitchId].filter((name) => said(annotations, name));
  if (first !== undefined && plain[0] !== undefined)
    return refused(plain[0], `contradicts ${first}, which says it for each network; keep one of them`);
  const own = [...whole, ...plain, podIp].find((name) => said(annotations, name));
  if (annotations[podEni] === "false" && own !== undefined) return refused(podEni, `is "false", but ${own} needs an ENI of the pod's own`);
  const needs = [securityGroupId, vSwitchId, podIp].find((name) => said(annotations, name));
  if (annotations[trunkOn] === "false" && needs !== undefined)
    return refused(trunkOn, `is "false", but ${needs} needs an ENI of the pod's own`);
  return undefined;
}
