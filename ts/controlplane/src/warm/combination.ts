import type { NetworkInterface, PodEniAllocation } from "@terway/model";
import { warmAnnotation } from "../cluster/marks.ts";
import type { WantedEni } from "../pod/intent.ts";

/** What two members must have in common so that one can stand for the other. */
export interface Combination {
  readonly vSwitchId: string;
  readonly securityGroupIds: readonly string[];
  readonly resourceGroupId: string;
  readonly ipv6: boolean;
}

export const keyOfCombination = ({ vSwitchId, securityGroupIds, resourceGroupId, ipv6 }: Combination): string =>
  [vSwitchId, securityGroupIds.toSorted().join(), resourceGroupId, ipv6 ? "dual" : "ipv4"].join(" ");

/** Of an ENI as a PodENI or NetworkInterface describes it; undefined for what is no member, or is fixed. */
export function combinationOf({
  eni,
  ipv6,
  allocationType,
}: Pick<PodEniAllocation, "eni" | "ipv6" | "allocationType">): Combination | undefined {
  const { vSwitchID: vSwitchId = "", securityGroupIDs = [], resourceGroupID = "", attachmentOptions } = eni;
  if (attachmentOptions?.trunk !== true || vSwitchId === "" || allocationType?.type === "Fixed") return undefined;
  return { vSwitchId, securityGroupIds: securityGroupIDs, resourceGroupId: resourceGroupID, ipv6: Boolean(ipv6) };
}

/** Nobody's yet: it waits on its node for a pod. */
export const isWarm = ({ metadata, spec }: NetworkInterface): boolean =>
  metadata.annotations?.[warmAnnotation] !== undefined && metadata.deletionTimestamp === undefined && !spec?.podENIRef?.name;

/** Whether a member that is attached already may become what is wanted: any of the vSwitches will do, and nothing asks for a special one. Pure. */
export function fits(one: NetworkInterface, wanted: WantedEni, dual: (vSwitchId: string) => boolean): boolean {
  const { eni, ipv4, ipv6 } = one.spec ?? {};
  const own = eni && combinationOf({ eni, ipv6 });
  const special = wanted.allocation.type === "Fixed" || wanted.primaryIpv4 !== undefined || wanted.trafficMode !== undefined;
  if (own === undefined || !ipv4 || !wanted.trunk || special || !wanted.vSwitchIds.includes(own.vSwitchId)) return false;
  const { securityGroupIds, resourceGroupId = "" } = wanted;
  return (
    keyOfCombination(own) ===
    keyOfCombination({ vSwitchId: own.vSwitchId, securityGroupIds, resourceGroupId, ipv6: wanted.ipv6 && dual(own.vSwitchId) })
  );
}
