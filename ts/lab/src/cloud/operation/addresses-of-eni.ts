import { apiError } from "../api-error.ts";
import { canonicalAddress, formatCidr, parseCidr } from "../ip.ts";
import type { NetworkInterface, VSwitchRecord } from "../records.ts";
import type { Transaction } from "../transaction.ts";
import type { Call } from "./operation.ts";

export interface AddressSet {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  readonly ipv4Prefixes: readonly string[];
  readonly ipv6Prefixes: readonly string[];
}

export function vSwitchOf(tx: Transaction, eni: NetworkInterface): VSwitchRecord {
  const vSwitch = tx.vSwitch(eni.vSwitchId);
  if (vSwitch === undefined) throw apiError("InvalidVSwitchId.NotFound", { id: eni.vSwitchId });
  if (vSwitch.status !== "Available") throw apiError("IncorrectVSwitchStatus");
  return vSwitch;
}

export function requirePerCall(tx: Transaction, name: string, count: number): void {
  const { maxAssignPerCall } = tx.state.settings;
  if (count > maxAssignPerCall) throw apiError("InvalidParameter", { name, reason: `It must not exceed ${maxAssignPerCall}.` });
}

/** The ENI has the addresses at once, and is busy until the fabric delivers to them and the call is answered. */
export function addToEni({ tx, id }: Call, eni: NetworkInterface, added: AddressSet): void {
  tx.putEni({
    ...eni,
    ipv4: [...eni.ipv4, ...added.ipv4],
    ipv6: [...eni.ipv6, ...added.ipv6],
    ipv4Prefixes: [...eni.ipv4Prefixes, ...added.ipv4Prefixes],
    ipv6Prefixes: [...eni.ipv6Prefixes, ...added.ipv6Prefixes],
    busy: id,
  });
  if (eni.status === "InUse") tx.effect({ type: "assign", eniId: eni.id, addresses: Object.values(added).flat() });
}

/**
 * The ENI loses the addresses at once; they become free when the fabric has stopped to deliver. All or nothing: one address that is not
 * there, or is the primary one, refuses the whole call.
 */
export function removeFromEni({ tx, id }: Call, eni: NetworkInterface, removed: AddressSet): void {
  const gone = new Set<string>();
  for (const [kind, texts] of Object.entries(removed) as [keyof AddressSet, readonly string[]][]) {
    for (const text of texts) {
      const cidr = text.includes("/") ? parseCidr(text) : undefined;
      const spelled = cidr === undefined ? canonicalAddress(text) : formatCidr(cidr);
      if (spelled === undefined) throw apiError("InvalidIp.Address", { address: text });
      if (spelled === eni.primaryIpv4 || !eni[kind].includes(spelled)) throw apiError("InvalidIp.IpUnassigned", { address: spelled });
      gone.add(spelled);
    }
  }
  const keep = (text: string) => !gone.has(text);
  tx.putEni({
    ...eni,
    ipv4: eni.ipv4.filter(keep),
    ipv6: eni.ipv6.filter(keep),
    ipv4Prefixes: eni.ipv4Prefixes.filter(keep),
    ipv6Prefixes: eni.ipv6Prefixes.filter(keep),
    releasing: [...eni.releasing, ...gone],
    busy: id,
  });
  if (eni.status === "InUse") tx.effect({ type: "unassign", eniId: eni.id, addresses: [...gone] });
}
