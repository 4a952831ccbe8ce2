import { type JournalRecord, type KnownEni, Ledger, type Operation, operationSchema, type Rest } from "@terway/ipam";
import type { Lease, NodeResource } from "@terway/model";
import { canonicalAddress, gatewayOf, prefixLengthOf } from "@terway/model";
import { z } from "zod";

export type NodeStatus = NonNullable<NodeResource["status"]>;
export type Nic = NonNullable<NodeStatus["networkInterfaces"]>[string];
type Ip = NonNullable<Nic["ipv4"]>[string];

/**
 * What a pool knows, in the fields that Terway gives the status of a Node. Upstream has no place for intents and rests, and prunes what it does not know;
 * both stand as conditions of the ENI that they are about, so that they change together with it. An ENI that is being created stands under the id of its
 * intent.
 */
const intentCondition = "Intent.";
const restCondition = "Resting";

const restsSchema = z.record(z.string(), z.number());
const resourceStatuses = ["Creating", "Available", "Attaching", "InUse", "Detaching", "Deleting"] as const;

/** What is shown beside the ledger. */
export interface Shown {
  readonly securityGroups: (eniId: string) => readonly string[] | undefined;
  /** Whether an address need not rest any more. */
  readonly isRested: (rest: Rest) => boolean;
}

/** One ENI, or the intent of one; undefined: there is nothing of it. */
export function renderNic(ledger: Ledger, id: string, shown: Shown): Nic | undefined {
  const created = ledger.operations.get(id);
  if (created?.kind === "create") {
    const { vSwitchId: vSwitchID, securityGroupIds: securityGroupIDs } = created;
    return { id, status: "Creating", vSwitchID, securityGroupIDs, networkInterfaceType: "Secondary", conditions: intents([created]) };
  }
  const eni = ledger.enis.get(id);
  const leases = [...ledger.leases.values()].filter(({ eniId }) => eniId === id);
  if (!eni) return leases.length === 0 ? undefined : lost(id, leases);
  const operations = [...ledger.operations.values()].filter((one) => one.kind !== "create" && one.eniId === id);
  const vSwitch = ledger.vSwitches.get(eni.vSwitchId);
  const groups = shown.securityGroups(id);
  const resting = rests(ledger, eni, shown);
  const conditions = { ...intents(operations), ...(resting === undefined ? {} : { [restCondition]: { message: resting } }) };
  return {
    id,
    status: operations.some(({ kind }) => kind === "remove") ? "Detaching" : eni.status,
    macAddress: eni.mac,
    vSwitchID: eni.vSwitchId,
    ...(groups === undefined ? {} : { securityGroupIDs: [...groups] }),
    primaryIPAddress: eni.primaryIpv4,
    networkInterfaceTrafficMode: "Standard",
    networkInterfaceType: eni.type,
    ...(vSwitch === undefined ? {} : { ipv4CIDR: vSwitch.cidr }),
    ...(vSwitch?.ipv6Cidr === undefined ? {} : { ipv6CIDR: vSwitch.ipv6Cidr }),
    ...family("ipv4", eni, operations, leases),
    ...family("ipv6", eni, operations, leases),
    ...(Object.keys(conditions).length === 0 ? {} : { conditions }),
  };
}

/** An ENI that is there and none of ours: to be seen, and never used nor changed. */
export function renderForeign({ id, status, mac, vSwitchId, primaryIpv4, type, ipv4, ipv6 }: KnownEni): Nic {
  const entries = (addresses: readonly string[]) =>
    Object.fromEntries(addresses.map((ip) => [ip, { ip, primary: ip === primaryIpv4, status: "Valid" as const }]));
  return {
    ...{
      id,
      status,
      macAddress: mac,
      vSwitchID: vSwitchId,
      primaryIPAddress: primaryIpv4,
      networkInterfaceType: type,
      unschedulable: true,
    },
    ...(ipv4.length === 0 ? {} : { ipv4: entries(ipv4) }),
    ...(ipv6.length === 0 ? {} : { ipv6: entries(ipv6) }),
  };
}

/** The ENI went without us, and pods still use its addresses. */
function lost(id: string, leases: readonly Lease[]): Nic {
  const gone: KnownEni = { id, mac: "", type: "Secondary", status: "Deleting", vSwitchId: "", primaryIpv4: "", ipv4: [], ipv6: [] };
  return { id, status: "Deleting", ...family("ipv4", gone, [], leases), ...family("ipv6", gone, [], leases) };
}

function family(name: "ipv4" | "ipv6", eni: KnownEni, operations: readonly Operation[], leases: readonly Lease[]) {
  const entries: Record<string, Ip> = {};
  const leaving = new Set(operations.flatMap((one) => (one.kind === "unassign" && one.family === name ? one.addresses : [])));
  for (const ip of eni[name]) entries[ip] = { ip, primary: ip === eni.primaryIpv4, status: leaving.has(ip) ? "Deleting" : "Valid" };
  for (const lease of leases) {
    const ip = lease[name]?.address;
    if (ip === undefined) continue;
    const { podNamespace, podName, podUid } = lease.sandbox;
    const known = entries[ip] ?? { ip, primary: false, status: "Invalid" as const };
    entries[ip] = { ...known, podID: `${podNamespace}/${podName}`, ...(podUid === undefined ? {} : { podUID: podUid }) };
  }
  return Object.keys(entries).length === 0 ? {} : { [name]: entries };
}

const intents = (operations: readonly Operation[]) =>
  Object.fromEntries(operations.map((operation) => [`${intentCondition}${operation.id}`, { message: JSON.stringify(operation) }]));

function rests(ledger: Ledger, eni: KnownEni, { isRested }: Shown): string | undefined {
  const since: Record<string, number> = {};
  for (const address of [...eni.ipv4, ...eni.ipv6]) {
    const rest = ledger.resting.get(address);
    if (rest && !isRested(rest)) since[address] = Math.round(rest.wallMs);
  }
  return Object.keys(since).length === 0 ? undefined : JSON.stringify(since);
}

/** The ledger that a status tells, whoever wrote it. What does not parse is left out: the cloud and the pods themselves say it again. */
export function readStatus(status: NodeStatus | undefined, node: { readonly instanceId: string; readonly zoneId: string }): Ledger {
  const ledger = new Ledger();
  const put = (record: JournalRecord) => ledger.apply(record);
  put({ t: "node", instanceId: node.instanceId, generation: 0 });
  if (status?.warmUpCompleted) put({ t: "warmed-up" });
  let generation = 0;
  for (const nic of Object.values(status?.networkInterfaces ?? {})) {
    if (nic.unschedulable) continue;
    for (const operation of intentsOf(nic)) put({ t: "begin", operation });
    const { id, vSwitchID, ipv4CIDR, ipv6CIDR } = nic;
    if (vSwitchID !== undefined && ipv4CIDR !== undefined) {
      const vSwitch = { id: vSwitchID, zoneId: node.zoneId, cidr: ipv4CIDR, ...(ipv6CIDR === undefined ? {} : { ipv6Cidr: ipv6CIDR }) };
      put({ t: "vswitch", vSwitch });
    }
    const eni = eniOf(nic);
    if (eni) put({ t: "eni", eni });
    for (const lease of leasesOf(nic)) put({ t: "lease", lease: { ...lease, generation: ++generation } });
    for (const [address, wallMs] of Object.entries(restsOf(nic)))
      put({ t: "rest", addresses: [address], rest: { wallMs, monotonicMs: 0, bootId: "another process" } });
    if (eni === undefined) continue;
    for (const operation of ledger.operations.values())
      if (operation.kind === "remove" && operation.eniId === id) put({ t: "eni-status", id, status: "Detaching" });
  }
  return ledger;
}

function eniOf(nic: Nic): KnownEni | undefined {
  const { id, macAddress, vSwitchID, primaryIPAddress, networkInterfaceType } = nic;
  if (primaryIPAddress === undefined || vSwitchID === undefined) return undefined;
  const addresses = (entries: Nic["ipv4"]) =>
    Object.values(entries ?? {}).flatMap(({ ip, status }) => (status === "Invalid" || canonicalAddress(ip) === undefined ? [] : [ip]));
  return {
    id,
    mac: macAddress?.toLowerCase() ?? "",
    type: networkInterfaceType === "Trunk" ? "Trunk" : "Secondary",
    status: resourceStatuses.find((one) => one === nic.status) ?? "InUse",
    vSwitchId: vSwitchID,
    primaryIpv4: primaryIPAddress,
    ipv4: addresses(nic.ipv4),
    ipv6: addresses(nic.ipv6),
  };
}

/** What pods hold on this ENI; a pod's two families are one lease. */
function leasesOf(nic: Nic): Omit<Lease, "generation">[] {
  const leases = new Map<string, Omit<Lease, "generation">>();
  for (const name of ["ipv4", "ipv6"] as const) {
    for (const { ip, podID, podUID } of Object.values(nic[name] ?? {})) {
      const [podNamespace = "", podName = "", ...more] = (podID ?? "").split("/");
      // Nobody holds what is not an address, and what names no pod is held by nobody.
      if (podNamespace === "" || podName === "" || more.length > 0 || canonicalAddress(ip) === undefined) continue;
      const containerId = podUID || `${podNamespace}/${podName}`;
      const id = `${containerId}/${podInterface}`;
      const sandbox = { containerId, ifName: podInterface, netns: "", podNamespace, podName, ...(podUID ? { podUid: podUID } : {}) };
      const cidr = name === "ipv4" ? nic.ipv4CIDR : nic.ipv6CIDR;
      const address = {
        address: ip,
        prefixLength: prefixLengthOf(cidr ?? "") ?? (name === "ipv4" ? 32 : 128),
        gateway: gatewayOf(cidr ?? "") ?? "",
      };
      const before = leases.get(id) ?? { id, state: "intent", sandbox, eniId: nic.id, eniMac: nic.macAddress ?? "", allocatedAtMs: 0 };
      leases.set(id, { ...before, [name]: address });
    }
  }
  return [...leases.values()];
}

/** The one interface of a pod that gets its addresses here. */
export const podInterface = "eth0";

function intentsOf(nic: Nic): Operation[] {
  return Object.entries(nic.conditions ?? {}).flatMap(([name, { message }]) => {
    const parsed = name.startsWith(intentCondition) ? operationSchema.safeParse(jsonOf(message)) : undefined;
    return parsed?.success ? [parsed.data] : [];
  });
}

function restsOf(nic: Nic): Readonly<Record<string, number>> {
  const parsed = restsSchema.safeParse(jsonOf(nic.conditions?.[restCondition]?.message));
  return parsed.success ? parsed.data : {};
}

function jsonOf(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

/** Ids of the ENIs and creations that a record changes; asked before it is applied. */
export function touchedBy(record: JournalRecord, ledger: Ledger): readonly string[] {
  const having = (addresses: readonly string[]) =>
    [...ledger.enis.values()].flatMap(({ id, ipv4, ipv6 }) =>
      addresses.some((address) => ipv4.includes(address) || ipv6.includes(address)) ? [id] : [],
    );
  const of = (operation: Operation | undefined) =>
    operation === undefined ? [] : [operation.kind === "create" ? operation.id : operation.eniId];
  switch (record.t) {
    case "lease": {
      const before = ledger.leases.get(record.lease.id);
      return [record.lease.eniId, ...(before ? [before.eniId] : [])];
    }
    case "released":
      return [ledger.leases.get(record.id)?.eniId ?? []].flat();
    case "rest":
      return having(record.addresses);
    case "eni":
      return [record.eni.id, ...having([...record.eni.ipv4, ...record.eni.ipv6])];
    case "assigned":
      return [record.id, ...having(record.addresses)];
    case "eni-status":
    case "unassigned":
    case "eni-gone":
      return [record.id];
    case "vswitch":
      return [...ledger.enis.values()].flatMap(({ id, vSwitchId }) => (vSwitchId === record.vSwitch.id ? [id] : []));
    case "begin":
      return of(record.operation);
    case "end":
      return of(ledger.operations.get(record.id));
    case "node":
    case "bound":
    case "releasing":
    case "warmed-up":
      return [];
    default:
      record satisfies never;
      return [];
  }
}
