import { canonicalCidr } from "@terway/model";
import { annotation, plainAnnotations, podNetworksSchema, type Read, readAnnotation, readJsonAnnotation } from "./annotations.ts";
import { type Annotations, bare, type Own, ok, said, type WantedInterface } from "./wanted.ts";

/** `k8s.aliyun.com/pod-networks`. */
export function ofPodNetworks(text: string | undefined): Read<Own> | undefined {
  if (text === undefined || text === "") return undefined;
  const read = readJsonAnnotation(annotation.podNetworks, text, podNetworksSchema);
  if (!read.ok) return read;
  const interfaces = read.value.podNetworks.map(
    (entry): WantedInterface => ({
      ifName: entry.interface || "eth0",
      vSwitchIds: entry.vSwitchOptions ?? [],
      securityGroupIds: entry.securityGroupIDs ?? [],
      eniType: entry.eniOptions?.eniType || "Default",
      selection: entry.vSwitchSelectOptions?.vSwitchSelectionPolicy || "ordered",
      ...(entry.resourceGroupID ? { resourceGroupId: entry.resourceGroupID } : {}),
      ...(entry.networkInterfaceTrafficMode ? { trafficMode: entry.networkInterfaceTrafficMode } : {}),
      ...(entry.defaultRoute === undefined ? {} : { defaultRoute: entry.defaultRoute }),
      extraRoutes: routes(entry.extraRoutes),
      allocation: entry.allocationType ?? {},
    }),
  );
  return ok({ interfaces });
}

export const routes = (list: readonly { dst: string }[] | null | undefined) => (list ?? []).flatMap(({ dst }) => canonicalCidr(dst) ?? []);

/** An address alone, `pod-ip`, is no network: it goes with whatever the weaker sources give. */
export function ofPlain(annotations: Annotations): Read<Own> | undefined {
  const { trunkOn, securityGroupId, vSwitchId } = annotation;
  const value = <T>(name: keyof typeof plainAnnotations, schema: Parameters<typeof readAnnotation<T>>[2]): Read<T | undefined> =>
    said(annotations, name) ? readAnnotation(name, annotations[name], schema) : { ok: true, value: undefined };
  const trunk = value(trunkOn, plainAnnotations[trunkOn]);
  if (!trunk.ok) return trunk;
  const groups = value(securityGroupId, plainAnnotations[securityGroupId]);
  if (!groups.ok) return groups;
  const vSwitches = value(vSwitchId, plainAnnotations[vSwitchId]);
  if (!vSwitches.ok) return vSwitches;
  if (trunk.value === "false") return undefined;
  if (trunk.value === undefined && groups.value === undefined && vSwitches.value === undefined) return undefined;
  return ok({
    interfaces: [
      {
        ...bare,
        vSwitchIds: vSwitches.value ?? [],
        securityGroupIds: groups.value ?? [],
        eniType: trunk.value === "true" ? "Trunk" : "Default",
      },
    ],
  });
}
