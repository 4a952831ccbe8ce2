import type { PodNetworking } from "@terway/model";
import { allocationTypeSchema, readAnnotation } from "./annotations.ts";

/** Most security groups of an ENI. */
const mostGroups = 10;
export const selectorOperators = ["In", "NotIn", "Exists", "DoesNotExist"];

export interface WrongField {
  readonly field: string;
  readonly message: string;
}

/** What in a PodNetworking can never work, wherever the cluster is; undefined when nothing is wrong. Pure. */
export function wrongField(spec: PodNetworking["spec"]): WrongField | undefined {
  const { securityGroupIDs = [], allocationType = {}, selector } = spec ?? {};
  if (securityGroupIDs.length > mostGroups)
    return { field: "spec.securityGroupIDs", message: `names ${securityGroupIDs.length} groups; an ENI takes at most ${mostGroups}` };
  const allocation = readAnnotation("spec.allocationType", allocationType, allocationTypeSchema);
  if (!allocation.ok) return allocation;
  for (const which of ["podSelector", "namespaceSelector"] as const) {
    const at = (selector?.[which]?.matchExpressions ?? []).findIndex(({ operator }) => !selectorOperators.includes(operator));
    const field = `spec.selector.${which}.matchExpressions[${at}].operator`;
    if (at >= 0) return { field, message: `must be one of ${selectorOperators.join(", ")}` };
  }
  return undefined;
}
