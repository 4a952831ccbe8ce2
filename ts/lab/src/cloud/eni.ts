import { apiError } from "./api-error.ts";
import { type InstanceType, limitsOf } from "./instance-types.ts";
import type { EniStatus, NetworkInterface } from "./records.ts";
import type { CloudState } from "./state.ts";
import type { Transaction } from "./transaction.ts";

type AddressList = "ipv4" | "ipv6" | "ipv4Prefixes" | "ipv6Prefixes";

/** Most secondary IPv4 and IPv6 addresses of an ENI that is attached to nothing. Source: AssignPrivateIpAddresses, AssignIpv6Addresses. */
const unattachedSlots = { ipv4: 50, ipv6: 10 } as const;

export function findEni(tx: Transaction, id: string): NetworkInterface {
  const eni = tx.eni(id);
  if (eni === undefined) throw apiError("InvalidEniId.NotFound", { id });
  return eni;
}

export function requireStatus(eni: NetworkInterface, ...allowed: EniStatus[]): void {
  if (allowed.includes(eni.status)) return;
  throw apiError("InvalidOperation.InvalidEniState", { id: eni.id, current: eni.status, expected: allowed.join(" or ") });
}

/** One assign or unassign call at a time on an ENI. */
export function requireIdle(eni: NetworkInterface): void {
  if (eni.busy !== undefined) throw apiError("Operation.Conflict");
}

export function limitsOfInstance(state: CloudState, instanceId: string): InstanceType {
  const instance = state.instances.get(instanceId);
  if (instance === undefined) throw apiError("InvalidEcsId.NotFound", { id: instanceId });
  return limitsOf(instance.type);
}

/** How many slots the ENI has; a prefix uses one like an address. */
export function slotsOf(state: CloudState, eni: NetworkInterface): { ipv4: number; ipv6: number } {
  return eni.instanceId === undefined ? unattachedSlots : limitsOfInstance(state, eni.instanceId);
}

/** Throws when the ENI holds more than its slots allow. */
export function requireSlots(state: CloudState, eni: NetworkInterface): void {
  const slots = slotsOf(state, eni);
  if (eni.ipv6.length + eni.ipv6Prefixes.length > 0 && slots.ipv6 === 0) throw apiError("InvalidOperation.Ipv6NotSupport");
  if (eni.ipv4.length + eni.ipv4Prefixes.length > slots.ipv4) throw apiError("InvalidOperation.Ipv4CountExceeded", { id: eni.id });
  if (eni.ipv6.length + eni.ipv6Prefixes.length > slots.ipv6) throw apiError("InvalidOperation.Ipv6CountExceeded", { id: eni.id });
}

/** Throws when the ENI has no room for so many more addresses and prefixes. */
export function requireRoom(state: CloudState, eni: NetworkInterface, more: Partial<Record<AddressList, number>>): void {
  const grown = (list: AddressList) => [...eni[list], ...Array<string>(more[list] ?? 0).fill("")];
  requireSlots(state, {
    ...eni,
    ipv4: grown("ipv4"),
    ipv6: grown("ipv6"),
    ipv4Prefixes: grown("ipv4Prefixes"),
    ipv6Prefixes: grown("ipv6Prefixes"),
  });
}

/** The ENI in a lasting state, and no other call at work on it. */
export function findSettledEni(tx: Transaction, id: string): NetworkInterface {
  const eni = findEni(tx, id);
  requireStatus(eni, "Available", "InUse");
  requireIdle(eni);
  return eni;
}

/** ENIs that use a slot of the instance: everything but trunk members. */
export function attachedTo(state: CloudState, instanceId: string): NetworkInterface[] {
  return [...state.enis.values()].filter((eni) => eni.instanceId === instanceId && eni.type !== "Member");
}

export function membersOf(state: CloudState, trunkId: string): NetworkInterface[] {
  return [...state.enis.values()].filter((eni) => eni.trunkId === trunkId);
}

/** The ENI attached to nothing. */
export function unattached(eni: NetworkInterface): NetworkInterface {
  const { instanceId, trunkId, deviceIndex, transition, ...rest } = eni;
  return { ...rest, status: "Available", type: eni.type === "Member" ? "Secondary" : eni.type };
}

export function withoutTransition(eni: NetworkInterface): NetworkInterface {
  const { transition, ...rest } = eni;
  return rest;
}

export function withoutBusy(eni: NetworkInterface): NetworkInterface {
  const { busy, ...rest } = eni;
  return rest;
}
