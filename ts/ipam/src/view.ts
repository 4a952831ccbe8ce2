import type { Lease, PoolAddressView, PoolEniView, PoolProblem, PoolView } from "@terway/model";
import type { Inventory } from "./inventory.ts";
import { addressesOf } from "./journal/ledger.ts";
import type { KnownEni } from "./journal/record.ts";
import type { PlanAddressState } from "./plan/index.ts";

const shownAs: Record<PlanAddressState, PoolAddressView["state"]> = {
  free: "free",
  used: "used",
  resting: "cooling",
  arriving: "assigning",
  leaving: "unassigning",
  // Not given out until it is proven either way.
  withheld: "vanished",
  missing: "vanished",
};

/** The pool for people and metrics. Counts are allocations: one address, or a pair in dual stack. */
export function viewOf(inventory: Inventory, waiting: number, problems: readonly PoolProblem[]): PoolView {
  const { ledger, config } = inventory;
  const enis = [...ledger.enis.values()].map((eni) => eniView(inventory, eni));
  const leases = [...ledger.leases.values()];
  for (const operation of inventory.running.values()) {
    if (operation.kind !== "create") continue;
    enis.push({
      id: operation.id,
      mac: "",
      type: "Secondary",
      status: "Planned",
      vSwitchId: operation.vSwitchId,
      ours: true,
      addresses: [],
    });
  }
  for (const eni of inventory.foreign) enis.push({ ...shell(eni), ours: false, addresses: [] });
  addVanished(inventory, enis, leases);
  const family = config.ipv4 ? "ipv4" : "ipv6";
  const ofFamily = (eni: PoolEniView) => eni.addresses.filter((address) => address.family === family);
  // A whole ENI counts once, by its first address: all of them are used, or rest, together.
  const counted = enis.filter((eni) => eni.ours).flatMap((eni) => (inventory.exclusive ? ofFamily(eni).slice(0, 1) : ofFamily(eni)));
  const count = (state: PoolAddressView["state"]) => counted.filter((address) => address.state === state).length;
  return {
    exclusive: inventory.exclusive,
    enis,
    leases,
    total: counted.length,
    used: counted.filter(({ state, leaseId }) => state === "used" || (state === "vanished" && leaseId !== undefined)).length,
    free: inventory.free,
    cooling: count("cooling"),
    waiting,
    capacity: inventory.capacity,
    problems,
  };
}

/** Addresses in use that no ENI has any more, shown with the ENI they were on. */
function addVanished(inventory: Inventory, enis: PoolEniView[], leases: readonly Lease[]): void {
  const listed = new Set(enis.flatMap((eni) => eni.addresses.map(({ address }) => `${eni.id} ${address}`)));
  for (const lease of leases) {
    const lost = addressesOf(lease).filter((address) => !listed.has(`${lease.eniId} ${address}`));
    if (lost.length === 0) continue;
    const addresses = lost.map((address) => addressView(inventory, lease.eniId, address, "vanished"));
    const at = enis.findIndex((eni) => eni.id === lease.eniId);
    const eni = enis[at];
    if (eni) enis[at] = { ...eni, addresses: [...eni.addresses, ...addresses] };
    else enis.push({ id: lease.eniId, mac: lease.eniMac, type: "Secondary", status: "Deleting", vSwitchId: "", ours: true, addresses });
  }
}

function eniView(inventory: Inventory, eni: KnownEni): PoolEniView {
  const operations = inventory.operationsOn(eni.id);
  const addresses = [...eni.ipv4, ...eni.ipv6].map((address) =>
    addressView(inventory, eni.id, address, shownAs[inventory.stateOf(eni, address, operations)]),
  );
  const isLeaving = operations.some((operation) => operation.kind === "remove");
  const securityGroupIds = inventory.securityGroups.get(eni.id);
  return { ...shell(eni), ...(isLeaving && { status: "Detaching" }), ours: true, ...(securityGroupIds && { securityGroupIds }), addresses };
}

function shell({ id, mac, type, status, vSwitchId }: KnownEni) {
  return { id, mac, type, status, vSwitchId };
}

function addressView(inventory: Inventory, eniId: string, address: string, state: PoolAddressView["state"]): PoolAddressView {
  const { holders } = inventory.ledger;
  const leaseId = holders.get(address) ?? holders.get(eniId);
  const lease = leaseId === undefined ? undefined : inventory.ledger.leases.get(leaseId);
  const family = address.includes(":") ? "ipv6" : "ipv4";
  return {
    address,
    family,
    eniId,
    state,
    ...(lease && { leaseId: lease.id, pod: `${lease.sandbox.podNamespace}/${lease.sandbox.podName}` }),
  };
}
