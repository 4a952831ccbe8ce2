import type { Random } from "@terway/model";
import type { NodeFacts } from "../cluster/node-facts.ts";
import type { WantedInterface } from "../network/wanted.ts";
import type { VSwitches } from "../runtime/v-switches.ts";
import type { WantedEni } from "./intent.ts";

/** No ENI can be planned for a pod; the message names the field or vSwitch and the next step. */
export class NoNetwork extends Error {
  override readonly name: string = "NoNetwork";
}

/** The vSwitches that may be taken are full. */
export class NoAddressLeft extends NoNetwork {
  override readonly name: string = "NoAddressLeft";
}

export interface PlanParts {
  readonly vSwitches: VSwitches;
  readonly random: Random;
  /** Interfaces that leave it open become members where the node has a trunk. */
  readonly trunk: boolean;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** The ENIs that a pod on this node needs, each in a vSwitch of the node's zone with an address left, and with a token of its own. Rejects with {@link NoNetwork}. */
export function planEnis(parts: PlanParts, interfaces: readonly WantedInterface[], node: NodeFacts): Promise<WantedEni[]> {
  return Promise.all(interfaces.map((wanted) => planEni(parts, wanted, node)));
}

async function planEni(parts: PlanParts, wanted: WantedInterface, node: NodeFacts): Promise<WantedEni> {
  const { eniType, vSwitchIds, selection, ifName } = wanted;
  if (eniType === "Trunk" && node.exclusive)
    throw new NoNetwork(`${ifName}: eniType is Trunk, but node ${node.name} gives whole ENIs only`);
  const vSwitchId = await nextVSwitch(parts.vSwitches, { ...wanted, vSwitchIds: [...vSwitchIds] }, node.zoneId);
  const { primaryIpv4, resourceGroupId, trafficMode, defaultRoute } = wanted;
  return {
    ...{ ifName, vSwitchId, vSwitchIds: [...vSwitchIds], selection },
    securityGroupIds: [...wanted.securityGroupIds],
    trunk: eniType === "Trunk" || (eniType === "Default" && parts.trunk && !node.exclusive),
    ipv6: parts.ipv6,
    ...(resourceGroupId === undefined ? {} : { resourceGroupId }),
    ...(trafficMode === undefined ? {} : { trafficMode }),
    ...(defaultRoute === undefined ? {} : { defaultRoute }),
    ...(primaryIpv4 === undefined ? {} : { primaryIpv4 }),
    extraRoutes: [...wanted.extraRoutes],
    allocation: wanted.allocation,
    token: parts.random.uuid(),
  };
}

/** The vSwitch to take now. Rejects with {@link NoNetwork} when none of the zone has an address. */
export async function nextVSwitch(
  vSwitches: VSwitches,
  { ifName, vSwitchIds, selection, primaryIpv4 }: Pick<WantedEni, "ifName" | "vSwitchIds" | "selection" | "primaryIpv4">,
  zoneId: string,
): Promise<string> {
  const found = await vSwitches.candidates(zoneId, vSwitchIds, selection);
  const chosen = primaryIpv4 === undefined ? found[0] : found.find(({ cidr }) => contains(cidr, primaryIpv4));
  if (chosen !== undefined) return chosen.id;
  const reason = primaryIpv4 === undefined ? "" : ` whose CIDR holds ${primaryIpv4}`;
  throw new NoAddressLeft(
    `${ifName}: of vSwitches ${vSwitchIds.join(", ")} none in zone ${zoneId} has an address left${reason}; name another one, or make it larger`,
  );
}

/** Whether the IPv4 CIDR has the address in it. */
export function contains(cidr: string, address: string): boolean {
  const [network = "", bits = "32"] = cidr.split("/");
  const number = (text: string) => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  return Math.floor(number(network) / size) === Math.floor(number(address) / size);
}
