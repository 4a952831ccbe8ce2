import type { FabricPort, PluggedEni } from "./fabric-port.ts";
import { gatewayOf, knownCidr } from "./ip.ts";
import type { NetworkInterface } from "./records.ts";
import type { CloudState } from "./state.ts";

/** What the pure core wants done to real interfaces, as data. */
export type FabricEffect =
  | { readonly type: "plug"; readonly eni: PluggedEni }
  | { readonly type: "unplug"; readonly eniId: string }
  | { readonly type: "assign" | "unassign"; readonly eniId: string; readonly addresses: readonly string[] };

export function perform(fabric: FabricPort, effect: FabricEffect): Promise<void> {
  switch (effect.type) {
    case "plug":
      return fabric.plug(effect.eni);
    case "unplug":
      return fabric.unplug(effect.eniId);
    case "assign":
      return fabric.assign(effect.eniId, [...effect.addresses]);
    case "unassign":
      return fabric.unassign(effect.eniId, [...effect.addresses]);
  }
}

export function effectEniId(effect: FabricEffect): string {
  return effect.type === "plug" ? effect.eni.eniId : effect.eniId;
}

/** The ENI as the fabric needs it. A delegated prefix is given as CIDR text beside the addresses. */
export function pluggedEni(state: CloudState, eni: NetworkInterface): PluggedEni {
  const vSwitch = state.vSwitches.get(eni.vSwitchId);
  if (vSwitch === undefined || eni.instanceId === undefined) throw new Error(`${eni.id} has no vSwitch or no instance`);
  const { ipv6Cidr } = vSwitch;
  return {
    eniId: eni.id,
    instanceId: eni.instanceId,
    type: eni.type,
    mac: eni.mac,
    primaryIpv4: eni.primaryIpv4,
    ipv4: [...eni.ipv4, ...eni.ipv4Prefixes],
    ipv6: [...eni.ipv6, ...eni.ipv6Prefixes],
    vSwitch: {
      id: vSwitch.id,
      cidr: vSwitch.cidr,
      gateway: gatewayOf(knownCidr(vSwitch.cidr)),
      ...(ipv6Cidr === undefined ? {} : { ipv6Cidr, ipv6Gateway: gatewayOf(knownCidr(ipv6Cidr)) }),
    },
    securityGroupIds: [...eni.securityGroupIds],
  };
}
