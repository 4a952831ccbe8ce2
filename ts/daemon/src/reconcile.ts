import { readAttachment } from "./attachment.ts";
import type { Node } from "./node.ts";
import { sweepOnce } from "./sweep.ts";

const attachDeadlineMs = 5_000;

/** Compares everything at once that is otherwise compared by and by: the pool with the cloud, leases with their pods, the kernel with its attachments. */
export async function reconcileAll(node: Node): Promise<string> {
  const swept = await sweepOnce(node);
  await node.pool.sync();
  let repaired = 0;
  const failures = [...swept.failures];
  for (const lease of node.pool.leases()) {
    const attachment = lease.state === "bound" ? readAttachment(lease) : undefined;
    if (attachment === undefined || node.flight.busy(node.pool.ownerOf(lease.id))) continue;
    const drifts = await node.datapath.check(attachment);
    if (drifts.ok && drifts.value.length === 0) continue;
    const outcome = drifts.ok
      ? await node.hostNames.run(attachment.hostIfName, lease.id, () => node.datapath.attach(attachment, attachDeadlineMs))
      : drifts;
    if (outcome.ok) repaired++;
    else failures.push(outcome.error.message);
  }
  const { total, used, free, problems } = node.pool.view();
  const found = `${total} addresses, ${used} used, ${free} free; ${swept.released.length} released, ${repaired} repaired`;
  const open = [...failures, ...problems.map(({ message }) => message)];
  if (open.length > 0) throw new Error(`${found}; ${open.join("; ")}`);
  return found;
}
