import { limitsOf } from "./instance-types.ts";
import { contains, familyOf, isReserved, knownCidr, overlaps, parseAddress } from "./ip.ts";
import type { CloudState } from "./state.ts";

/** What must hold in every state, whatever was called. Empty when all is well. */
export function checkInvariants(state: CloudState): string[] {
  return [...addressesOnce(state), ...addressesInside(state), ...withinLimits(state), ...vlansOnce(state), ...sameZone(state)];
}

function* addressesOnce(state: CloudState): Generator<string> {
  const holders = new Map<string, string>();
  for (const eni of state.enis.values()) {
    for (const address of [...eni.ipv4, ...eni.ipv6, ...eni.ipv4Prefixes, ...eni.ipv6Prefixes, ...eni.releasing]) {
      // Two VPCs may have the same addresses.
      const key = `${eni.vpcId} ${address}`;
      const other = holders.get(key);
      if (other !== undefined) yield `${address} is on ${other} and on ${eni.id}`;
      holders.set(key, eni.id);
    }
    if (eni.ipv4[0] !== eni.primaryIpv4) yield `${eni.id} does not begin with its primary address`;
  }
}

function* addressesInside(state: CloudState): Generator<string> {
  const prefixes = [...state.enis.values()].flatMap((eni) =>
    [...eni.ipv4Prefixes, ...eni.ipv6Prefixes].map((text) => ({ vpcId: eni.vpcId, text, cidr: knownCidr(text) })),
  );
  for (const [index, one] of prefixes.entries()) {
    const clash = prefixes.slice(index + 1).find((other) => other.vpcId === one.vpcId && overlaps(one.cidr, other.cidr));
    if (clash !== undefined) yield `${one.text} overlaps ${clash.text}`;
  }
  for (const eni of state.enis.values()) {
    const vSwitch = state.vSwitches.get(eni.vSwitchId);
    for (const address of [...eni.ipv4, ...eni.ipv6]) {
      const text = familyOf(address) === "ipv4" ? vSwitch?.cidr : vSwitch?.ipv6Cidr;
      const value = parseAddress(address) ?? -1n;
      if (text === undefined || !contains(knownCidr(text), familyOf(address), value))
        yield `${address} of ${eni.id} is outside ${eni.vSwitchId}`;
      else if (isReserved(knownCidr(text), value)) yield `${address} of ${eni.id} is reserved`;
      const inPrefix = prefixes.find((prefix) => prefix.vpcId === eni.vpcId && contains(prefix.cidr, familyOf(address), value));
      if (inPrefix !== undefined) yield `${address} of ${eni.id} is inside the prefix ${inPrefix.text}`;
    }
  }
}

function* withinLimits(state: CloudState): Generator<string> {
  for (const instance of state.instances.values()) {
    const limits = limitsOf(instance.type);
    const enis = [...state.enis.values()].filter((eni) => eni.instanceId === instance.id);
    const adapters = enis.filter((eni) => eni.type !== "Member").length;
    if (adapters > limits.enis) yield `${instance.id} has ${adapters} ENIs, ${limits.enis} are allowed`;
    if (enis.length > limits.total) yield `${instance.id} has ${enis.length} ENIs with members, ${limits.total} are allowed`;
    if (enis.filter((eni) => eni.type === "Primary").length !== 1) yield `${instance.id} has not exactly one primary ENI`;
    for (const eni of enis) {
      if (eni.ipv4.length + eni.ipv4Prefixes.length > limits.ipv4) yield `${eni.id} has more than ${limits.ipv4} IPv4 slots`;
      if (eni.ipv6.length + eni.ipv6Prefixes.length > limits.ipv6) yield `${eni.id} has more than ${limits.ipv6} IPv6 slots`;
    }
  }
}

function* vlansOnce(state: CloudState): Generator<string> {
  const taken = new Set<string>();
  for (const eni of state.enis.values()) {
    if (eni.type !== "Member") continue;
    if (eni.trunkId === undefined || state.enis.get(eni.trunkId)?.type !== "Trunk") yield `${eni.id} is a member of no trunk`;
    const key = `${eni.trunkId}/${eni.deviceIndex}`;
    if (taken.has(key)) yield `VLAN ${key} is used twice`;
    taken.add(key);
  }
}

function* sameZone(state: CloudState): Generator<string> {
  for (const eni of state.enis.values()) {
    if (eni.instanceId === undefined) continue;
    const instance = state.instances.get(eni.instanceId);
    if (instance === undefined) yield `${eni.id} is attached to ${eni.instanceId}, which does not exist`;
    else if (instance.zoneId !== eni.zoneId || instance.vpcId !== eni.vpcId) yield `${eni.id} is not in the zone and VPC of ${instance.id}`;
  }
}
