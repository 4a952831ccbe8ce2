import {
  canonicalAddress,
  canonicalCidr,
  type DatapathMode,
  type FamilyAddress,
  gatewayOf,
  type MetadataEni,
  type NodeModes,
  type PodEni,
  type PodEniAllocation,
  prefixLengthOf,
} from "@terway/model";
import type { AttachmentChoice } from "./attachment.ts";

/** One interface of a pod that has ENIs of its own. */
export interface GivenInterface {
  readonly ifName: string;
  readonly mode: DatapathMode;
  /** The pod's ENI. */
  readonly eniId: string;
  /** The ENI that stands on the node: the pod's own, or the trunk that carries it. */
  readonly eniMac: string;
  readonly ipv4?: FamilyAddress;
  readonly ipv6?: FamilyAddress;
  readonly trunk?: AttachmentChoice["trunk"];
  /** Security groups of the pod's ENI, as far as its PodENI names them. */
  readonly eniGroups?: readonly string[];
  readonly defaultRoute: boolean;
  readonly extraRoutes: readonly string[];
}

export type PodEniPlan =
  | { readonly ok: true; readonly interfaces: readonly GivenInterface[] }
  /** `waits`: the control plane is not ready yet, and asking again helps. */
  | { readonly ok: false; readonly waits: boolean; readonly message: string };

/** Phases in which the ENIs are attached to the instance. */
const attachedPhase = "Bind";

/**
 * What a PodENI means on this node, each interface with its mode, the one named by the CNI call first. Pure. Refuses what contradicts itself, naming the
 * field, before anything changes.
 */
export function planPodEni(
  podEni: PodEni,
  call: { readonly ifName: string; readonly podUid?: string },
  enis: readonly MetadataEni[],
  modes: Pick<NodeModes, "trunkMember" | "exclusive">,
): PodEniPlan {
  const name = `PodENI ${podEni.metadata.namespace}/${podEni.metadata.name}`;
  const refuse = (field: string, problem: string) => ({ ok: false, waits: false, message: `${name}: ${field} ${problem}` }) as const;
  const wait = (problem: string) => ({ ok: false, waits: true, message: `${name} ${problem}` }) as const;
  const owner = podEni.metadata.annotations?.["k8s.aliyun.com/pod-uid"];
  if (owner && call.podUid !== undefined && owner !== call.podUid) return wait(`still belongs to an earlier pod of this name (${owner})`);
  const phase = podEni.status?.phase ?? "";
  if (phase !== attachedPhase) return wait(`is in phase ${JSON.stringify(phase)}, not ${attachedPhase}; its ENIs are not attached yet`);
  const allocations = podEni.spec.allocations ?? [];
  const names = allocations.map((one) => one.interface || "eth0");
  if (!names.includes(call.ifName)) return refuse("spec.allocations", `has no interface ${call.ifName}, which the runtime asks for`);
  const twice = names.find((one, index) => names.indexOf(one) !== index);
  if (twice !== undefined) return refuse("spec.allocations", `has interface ${twice} twice`);
  const defaults = allocations.flatMap((one, index) => (one.defaultRoute === true ? [index] : []));
  if (defaults.length > 1) return refuse(`spec.allocations[${defaults[1]}].defaultRoute`, "is the second default route");
  const [defaultIndex = names.indexOf(call.ifName)] = defaults;

  const interfaces: GivenInterface[] = [];
  for (const [index, allocation] of allocations.entries()) {
    const where = `spec.allocations[${index}]`;
    const addresses = addressesOf(allocation);
    if ("field" in addresses) return refuse(`${where}.${addresses.field}`, addresses.problem);
    const place = placeOf(podEni, allocation, enis, modes);
    if ("field" in place) return place.waits ? wait(`${place.field} ${place.problem}`) : refuse(place.field, place.problem);
    interfaces.push({
      ifName: names[index] ?? "eth0",
      eniId: allocation.eni.id,
      ...(allocation.eni.securityGroupIDs === undefined ? {} : { eniGroups: allocation.eni.securityGroupIDs }),
      ...place,
      ...addresses,
      defaultRoute: index === defaultIndex,
      extraRoutes: (allocation.extraRoutes ?? []).flatMap(({ dst }) => canonicalCidr(dst) ?? []),
    });
  }
  return { ok: true, interfaces: interfaces.sort((a, b) => Number(b.ifName === call.ifName) - Number(a.ifName === call.ifName)) };
}

interface Wrong {
  readonly field: string;
  readonly problem: string;
  readonly waits?: boolean;
}

function addressesOf(allocation: PodEniAllocation): Pick<GivenInterface, "ipv4" | "ipv6"> | Wrong {
  const found: { ipv4?: FamilyAddress; ipv6?: FamilyAddress } = {};
  for (const family of ["ipv4", "ipv6"] as const) {
    const address = canonicalAddress(allocation[family] ?? "");
    if (address === undefined) continue;
    const cidr = allocation[`${family}CIDR`] ?? "";
    const [prefixLength, gateway] = [prefixLengthOf(cidr), gatewayOf(cidr)];
    if (prefixLength === undefined || gateway === undefined || cidr.includes(":") !== (family === "ipv6"))
      return { field: `${family}CIDR`, problem: `is ${JSON.stringify(cidr)}; the vSwitch's CIDR is needed to know its gateway` };
    found[family] = { address, prefixLength, gateway };
  }
  if (found.ipv4 === undefined && found.ipv6 === undefined) return { field: "ipv4", problem: "and ipv6 are both missing" };
  return found;
}

function placeOf(
  podEni: PodEni,
  { eni }: PodEniAllocation,
  enis: readonly MetadataEni[],
  modes: Pick<NodeModes, "trunkMember" | "exclusive">,
): Pick<GivenInterface, "mode" | "eniMac" | "trunk"> | Wrong {
  const info = podEni.status?.eniInfos?.[eni.id];
  if (info?.type !== "Member" && eni.attachmentOptions?.trunk !== true) {
    return eni.mac ? { mode: modes.exclusive, eniMac: eni.mac } : { field: `eni ${eni.id}`, problem: "has no MAC address" };
  }
  const field = `status.eniInfos[${JSON.stringify(eni.id)}].vid`;
  if (!info?.vid) return { field, problem: "is missing; a trunk member needs its VLAN id, 1 to 4094", waits: info === undefined };
  const trunkId = podEni.status?.trunkENIID ?? "";
  const trunk = enis.find((one) => one.eniId === trunkId);
  if (trunk === undefined)
    return { field: "status.trunkENIID", problem: `${JSON.stringify(trunkId)} is not attached to this instance`, waits: true };
  return {
    mode: modes.trunkMember,
    eniMac: trunk.mac,
    trunk: {
      vlanId: info.vid,
      trunkGatewayIpv4: trunk.gatewayIpv4,
      ...(trunk.gatewayIpv6 === undefined ? {} : { trunkGatewayIpv6: trunk.gatewayIpv6 }),
    },
  };
}
