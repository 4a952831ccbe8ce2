import { type Attachment, canonicalAddress, cniCode, type Drift, type Lease, type Outcome } from "@terway/model";
import { readAttachment } from "../attachment.ts";
import { CniError } from "../failure.ts";
import { type ContainerCall, leaseId, type Node } from "../node.ts";
import type { PreviousResult } from "../plugin-conf.ts";
import { datapathRefusal, driftRefusal } from "../refusal.ts";

/** Compares an attachment with the journal, the previous result and the kernel; changes nothing. Repair is the datapath's own business. */
export async function check(node: Node, call: ContainerCall): Promise<void> {
  const id = leaseId(call);
  const lease = node.pool.lease(id);
  const attachment = lease && readAttachment(lease);
  if (lease === undefined || lease.state === "releasing" || attachment === undefined) {
    throw new CniError(cniCode.unknownContainer, `CNI_CONTAINERID: ${id} has no address here`);
  }
  if (call.netns !== "" && call.netns !== lease.sandbox.netns) {
    throw new CniError(cniCode.invalidEnvironment, `CNI_NETNS: ${id} is attached in ${lease.sandbox.netns}, not in ${call.netns}`);
  }
  if (call.conf.prevResult === undefined) throw new CniError(cniCode.invalidConfig, "network configuration: prevResult: is missing");
  const lost = missingFrom(call.conf.prevResult, lease);
  if (lost.length > 0) throw new CniError(cniCode.invalidConfig, `prevResult: ips: ${lost.join(", ")} of ${id} is missing`);
  const outcome = await call.deadline.race(
    checkAll(node, [attachment, ...companionsOf(node, id)]),
    () => new CniError(cniCode.tryAgainLater, `checking ${id} takes longer than the caller waits`),
  );
  if (!outcome.ok) throw datapathRefusal(outcome.error);
  if (outcome.value.length > 0) {
    const refusal = driftRefusal(id, outcome.value);
    const { podNamespace: namespace, podName: name } = lease.sandbox;
    node.events.emit("ConfigCheck", { kind: "Pod", namespace, name }, refusal.message);
    throw refusal;
  }
}

/** Further interfaces of the pod that the same ADD made. */
function companionsOf(node: Node, id: string): Attachment[] {
  return node.pool.companions(id).flatMap((one) => {
    const lease = node.pool.lease(one);
    return (lease && readAttachment(lease)) ?? [];
  });
}

async function checkAll(node: Node, attachments: readonly Attachment[]): Promise<Outcome<readonly Drift[]>> {
  const drifts: Drift[] = [];
  for (const attachment of attachments) {
    const outcome = await node.datapath.check(node.policy.judged(attachment));
    if (!outcome.ok) return outcome;
    drifts.push(...outcome.value);
  }
  return { ok: true, value: drifts };
}

/** Addresses of the lease that the result does not show. Later plugins may add addresses, never take ours away. */
function missingFrom(result: PreviousResult, lease: Lease): string[] {
  const shown = new Set(result.ips.map((ip) => canonicalAddress(ip.address.split("/", 1)[0] ?? "")));
  const ours = [lease.ipv4?.address, lease.ipv6?.address].filter((address) => address !== undefined);
  return ours.filter((address) => !shown.has(canonicalAddress(address)));
}
