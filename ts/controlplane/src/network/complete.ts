import { allocationTypeSchema, annotation, plainAnnotations, readAnnotation } from "./annotations.ts";
import { mayFallBack } from "./fallback.ts";
import { type ChoiceInput, hasFixedName, type NetworkChoice, type NetworkSource, type Own } from "./wanted.ts";

/** Fills in what `eni-config` says, and checks what needs everything together. */
export function complete(source: NetworkSource, own: Own, input: ChoiceInput): NetworkChoice {
  const { defaults, pod } = input;
  const refused = (field: string, message: string) => ({ kind: "refused", field, message }) as const;
  const where = source === "eni-config" ? "eni-config" : (fieldOf[source] ?? source);
  const interfaces = own.interfaces.map((one) => ({
    ...one,
    vSwitchIds: one.vSwitchIds.length > 0 ? one.vSwitchIds : defaults.vSwitchIds,
    selection: one.vSwitchIds.length > 0 ? one.selection : defaults.selection,
    securityGroupIds: one.securityGroupIds.length > 0 ? one.securityGroupIds : defaults.securityGroupIds,
    ...(one.resourceGroupId === undefined && defaults.resourceGroupId !== undefined ? { resourceGroupId: defaults.resourceGroupId } : {}),
  }));
  const names = interfaces.map(({ ifName }) => ifName);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0) return refused(`${where}[${twice}].interface`, `${names[twice]} is there already`);
  if (!names.includes("eth0")) return refused(`${where}[0].interface`, "no network is for eth0, which every pod has");
  const [, second] = interfaces.flatMap(({ defaultRoute }, index) => (defaultRoute === true ? [index] : []));
  if (second !== undefined) return refused(`${where}[${second}].defaultRoute`, "is the second default route");
  for (const [index, { vSwitchIds, securityGroupIds, allocation }] of interfaces.entries()) {
    if (vSwitchIds.length === 0) return refused(`${where}[${index}].vSwitchOptions`, "names no vSwitch, and eni-config has none either");
    if (securityGroupIds.length === 0)
      return refused(`${where}[${index}].securityGroupIDs`, "names no security group, and eni-config has none either");
    const checked = readAnnotation(`${where}[${index}].allocationType`, allocation, allocationTypeSchema);
    if (!checked.ok) return refused(checked.field, checked.message);
    if (allocation.type === "Fixed" && !hasFixedName(input))
      return refused(
        `${where}[${index}].allocationType.type`,
        `is Fixed, but a pod of ${pod.metadata.ownerReferences[0]?.kind ?? "its owner"} does not come back under its name`,
      );
  }
  const ip = pod.metadata.annotations[annotation.podIp];
  if (!ip) return { kind: "own", source, ...own, interfaces, ...(mayFallBack(source, interfaces, input) ? { mayFallBack: true } : {}) };
  const given = readAnnotation(annotation.podIp, ip, plainAnnotations[annotation.podIp]);
  if (!given.ok) return refused(given.field, given.message);
  return {
    kind: "own",
    source,
    ...own,
    interfaces: interfaces.map((one) => (one.ifName === "eth0" ? { ...one, primaryIpv4: given.value } : one)),
  };
}

/** How a fault in what a source says is named. */
const fieldOf: Partial<Record<NetworkSource, string>> = {
  "pod-networks": `${annotation.podNetworks}.podNetworks`,
  "pod-networks-request": annotation.podNetworksRequest,
};
