import type { FabricGroup, FabricRule, PluggedEni } from "./fabric-port.ts";
import { gatewayOf, knownCidr } from "./ip.ts";
import type { NetworkInterface, SecurityGroup, SecurityGroupRule } from "./records.ts";
import type { CloudState } from "./state.ts";

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
    ...(eni.trunkId === undefined || eni.deviceIndex === undefined ? {} : { trunk: { eniId: eni.trunkId, vlan: eni.deviceIndex } }),
  };
}

/** The group as the fabric needs it. */
export function fabricGroup({ id, type, innerAccessPolicy, rules }: SecurityGroup): FabricGroup {
  return { id, type, innerAccess: innerAccessPolicy === "Accept", rules: rules.map(fabricRule) };
}

function fabricRule(rule: SecurityGroupRule): FabricRule {
  const [peerCidr, own] = rule.direction === "ingress" ? [rule.sourceCidr, rule.destCidr] : [rule.destCidr, rule.sourceCidr];
  const ports = portsOf(rule.portRange);
  const sourcePorts = portsOf(rule.sourcePortRange);
  return {
    direction: rule.direction,
    accept: rule.policy === "Accept",
    priority: rule.priority,
    // The table of names is the same but for the case.
    protocol: rule.protocol.toLowerCase() as FabricRule["protocol"],
    ...(ports === undefined ? {} : { ports }),
    ...(sourcePorts === undefined ? {} : { sourcePorts }),
    peer: peerCidr === undefined ? { groupId: rule.peerGroupId ?? "" } : { cidr: peerCidr },
    ...(own === undefined ? {} : { own }),
  };
}

/** `80/90` → [80, 90]; undefined for `-1/-1`, which means all. */
function portsOf(range: string | undefined): [from: number, to: number] | undefined {
  const [from, to] = (range ?? "-1/-1").split("/").map(Number);
  return from === undefined || to === undefined || from === -1 ? undefined : [from, to];
}
