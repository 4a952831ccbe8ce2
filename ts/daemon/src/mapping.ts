import type { Lease, MappedAddress, Mapping, MetadataEni, PoolView } from "@terway/model";
import { readAttachment } from "./attachment.ts";
import type { Node } from "./node.ts";

/** What the kernel says of each lease: undefined when it could not be asked. */
export type KernelView = ReadonlyMap<string, { readonly drifts: readonly string[] } | { readonly failed: string }>;

/** Asks the kernel about every bound lease, a few at a time. */
export async function observeKernel(
  { datapath, policy }: Pick<Node, "datapath" | "policy">,
  leases: readonly Lease[],
): Promise<KernelView> {
  const seen = new Map<string, { drifts: readonly string[] } | { failed: string }>();
  const queue = leases.filter((lease) => lease.state === "bound").values();
  const worker = async () => {
    for (const lease of queue) {
      const attachment = readAttachment(lease);
      if (attachment === undefined) {
        seen.set(lease.id, { failed: "its attachment cannot be read" });
        continue;
      }
      const outcome = await datapath.check(policy.judged(attachment));
      seen.set(
        lease.id,
        outcome.ok
          ? {
              drifts: outcome.value.map(
                (drift) => `${drift.where} ${drift.object}: ${drift.problem}${drift.detail ? `, ${drift.detail}` : ""}`,
              ),
            }
          : { failed: outcome.error.message },
      );
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return seen;
}

/** Cloud, journal and kernel side by side, and everything on which they disagree. Pure. */
export function compareMapping(
  view: PoolView,
  kernel: KernelView,
  cloud: readonly MetadataEni[] | { readonly unknown: string },
  /** The node's own ENI is not the pool's business. */
  primaryMac: string | undefined,
): Mapping {
  const mismatches: { object: string; problem: string }[] = [];
  const known = "unknown" in cloud ? undefined : new Map(cloud.map((eni) => [eni.eniId, eni]));
  const leases = new Map(view.leases.map((lease) => [lease.id, lease]));
  const enis = view.enis.map((eni) => {
    const inCloud = known?.get(eni.id);
    if (known !== undefined && inCloud === undefined && eni.ours && eni.status === "InUse") {
      mismatches.push({ object: eni.id, problem: "is attached for the pool, the instance's metadata does not show it" });
    }
    const addresses = eni.addresses.map((one): MappedAddress => {
      const problems: string[] = [];
      const present = inCloud === undefined ? undefined : [...inCloud.ipv4, ...inCloud.ipv6].includes(one.address);
      // What is on its way in either direction may already, or still, be there.
      const settled = one.state === "free" || one.state === "used" || one.state === "cooling";
      if (settled && present === false) problems.push("the cloud does not show it on this ENI");
      if (one.state === "vanished") problems.push("in use here, but gone in the cloud");
      const lease = one.leaseId === undefined ? undefined : leases.get(one.leaseId);
      const seen = lease === undefined ? undefined : kernel.get(lease.id);
      if (seen !== undefined) problems.push(...("failed" in seen ? [seen.failed] : seen.drifts));
      for (const problem of problems) mismatches.push({ object: one.address, problem });
      return {
        address: one.address,
        family: one.family,
        state: one.state,
        ...(one.pod === undefined ? {} : { pod: one.pod }),
        ...(one.leaseId === undefined ? {} : { leaseId: one.leaseId }),
        cloud: present === undefined ? "unknown" : present ? "present" : "missing",
        kernel: kernelState(one.leaseId, seen),
        problems,
      };
    });
    const { id, mac, type, status, vSwitchId, ours } = eni;
    return { id, mac, type, status, vSwitchId, ours, addresses };
  });
  for (const [id, eni] of known ?? []) {
    if (eni.mac !== primaryMac && !view.enis.some((one) => one.id === id))
      mismatches.push({ object: id, problem: `${eni.mac} is attached, the pool does not know it` });
  }
  return {
    enis,
    leases: view.leases.map((lease) => ({
      id: lease.id,
      pod: `${lease.sandbox.podNamespace}/${lease.sandbox.podName}`,
      state: lease.state,
      eniId: lease.eniId,
      addresses: [lease.ipv4?.address, lease.ipv6?.address].filter((address) => address !== undefined),
      netns: lease.sandbox.netns,
    })),
    mismatches,
    ...("unknown" in cloud ? { cloudUnknown: cloud.unknown } : {}),
  };
}

function kernelState(
  leaseId: string | undefined,
  seen: { drifts: readonly string[] } | { failed: string } | undefined,
): MappedAddress["kernel"] {
  if (leaseId === undefined) return "none";
  if (seen === undefined || "failed" in seen) return "unknown";
  return seen.drifts.length === 0 ? "ok" : "drift";
}
