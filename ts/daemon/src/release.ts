import type { Lease } from "@terway/model";
import { readAttachment } from "./attachment.ts";
import type { Node } from "./node.ts";

/** Who asks; nothing of it may be known. */
export interface ReleaseHint {
  readonly netns?: string;
  readonly ifName?: string;
}

export interface Released {
  /** The lease that went; undefined when there was none. */
  readonly lease?: Lease;
  /** What the kernel would not give up. The lease stays `releasing`, so that its address is not given out, and the sweep tries again. */
  readonly failures: readonly string[];
}

/**
 * Takes away what a lease stands for: journal, kernel, journal. Without a lease the kernel is cleaned by id alone, which touches nothing of
 * a newer sandbox (I7). Further interfaces that the same ADD made go first. Must run under the id's single flight.
 */
export async function release(node: Node, id: string, hint: ReleaseHint = {}): Promise<Released> {
  const failures: string[] = [];
  for (const companion of node.pool.companions(id)) failures.push(...(await releaseOne(node, companion, {})).failures);
  const { lease, failures: own } = await releaseOne(node, id, hint);
  return { ...(lease === undefined ? {} : { lease }), failures: [...failures, ...own] };
}

async function releaseOne(node: Node, id: string, hint: ReleaseHint): Promise<Released> {
  const lease = await node.pool.beginRelease(id);
  node.failpoint("del.begun");
  const netns = lease?.sandbox.netns || hint.netns;
  const ifName = lease?.sandbox.ifName ?? hint.ifName;
  const attachment = lease && readAttachment(lease);
  const hostIfName = attachment?.hostIfName;
  const detached = await node.datapath.detach({
    id,
    ...(netns ? { netns } : {}),
    ...(ifName ? { ifName } : {}),
    ...(hostIfName ? { hostIfName } : {}),
    addresses: lease ? [lease.ipv4?.address, lease.ipv6?.address].filter((address) => address !== undefined) : [],
  });
  node.failpoint("del.detached");
  const failures = detached.failures.map((failure) => failure.message);
  // While its link may still be there, what judges its packets stays.
  if (attachment !== undefined && failures.length === 0) node.policy.leave(attachment);
  if (lease !== undefined && failures.length === 0) await node.pool.finishRelease(id);
  return { ...(lease === undefined ? {} : { lease }), failures };
}
