import { access, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Attachment, Lease } from "@terway/model";
import { readAttachment } from "./attachment.ts";
import type { Node } from "./node.ts";
import { release } from "./release.ts";

export interface Recovery {
  /** Bound leases that are guarded again. */
  readonly adopted: number;
  /** Intents whose attachment was finished. */
  readonly completed: number;
  /** Leases that went: half released, or of a sandbox that cannot live any more (another boot; neither its namespace nor its link is there). */
  readonly released: number;
  /** Bound leases whose namespace is not to be seen, but whose link is; kept until DEL or GC says so. */
  readonly orphaned: number;
  readonly collected: number;
  readonly problems: readonly string[];
}

/** How many leases are worked on at a time; each waits for the journal and the kernel, not for the processor. */
const parallel = 16;
const attachDeadlineMs = 5_000;

/**
 * Brings kernel and journal together after whatever ended the last run: bound leases are guarded, open intents attached, half released ones
 * released. Needs neither the cloud nor the runtime, so that running pods are safe first. Comes before the first call is accepted (I6).
 */
export async function recover(node: Node, bootId: { readonly changed: boolean }): Promise<Recovery> {
  const problems: string[] = [];
  const leases = node.pool.leases();
  const alive = bootId.changed ? new Set<Lease>() : await withNamespace(leases);
  const surveyed = await node.datapath.survey();
  if (!surveyed.ok) problems.push(surveyed.error.message);
  const links = surveyed.ok ? new Set(surveyed.value.map(({ id }) => id)) : undefined;
  // After a reboot no sandbox of the journal can live, whatever stands at its path. A namespace that is out of sight may live where this process
  // cannot see it, but its pod would have its link here. (A damaged journal forgets DELs: their leases come back, and this ends them.)
  const gone = (lease: Lease) => !alive.has(lease) && (lease.state === "intent" || (hasHostEnd(lease) && links?.has(lease.id) === false));
  const doomed = leases.filter((lease) => lease.state === "releasing" || bootId.changed || gone(lease));
  const guarded: Attachment[] = [];
  const unreadable: Lease[] = [];
  for (const lease of alive) {
    if (lease.state === "releasing") continue;
    const attachment = readAttachment(lease);
    if (attachment === undefined) unreadable.push(lease);
    else guarded.push(attachment);
  }
  for (const lease of unreadable) problems.push(`the attachment of ${lease.id} cannot be read; it is kept, but not repaired`);
  // What cannot be guarded is named; the others are.
  const judged = guarded.map((attachment) => node.policy.judged(attachment));
  await node.datapath.adopt(judged).catch((error: unknown) => problems.push(error instanceof Error ? error.message : String(error)));
  problems.push(...(await takeOver(node)));
  node.failpoint("recover.adopted");

  let released = 0;
  await each(doomed, async (lease) => {
    const { failures } = await node.flight.run(lease.id, "DEL", () => release(node, lease.id));
    if (failures.length === 0) released++;
    problems.push(...failures);
  });

  let completed = 0;
  const intents = guarded.filter((attachment) => node.pool.lease(attachment.id)?.state === "intent");
  await each(intents, async (attachment) => {
    const outcome = await node.hostNames.run(attachment.hostIfName, attachment.id, () =>
      node.datapath.attach(node.policy.judged(attachment), attachDeadlineMs),
    );
    if (outcome.ok) {
      await node.pool.bound(attachment.id);
      completed++;
      return;
    }
    problems.push(outcome.error.message);
    await node.flight.run(attachment.id, "DEL", () => release(node, attachment.id));
    released++;
  });

  const collected = await collectUnlessOrphans(node, problems);
  const orphaned = leases.filter((lease) => lease.state === "bound" && !alive.has(lease) && !doomed.includes(lease)).length;
  return { adopted: guarded.length - intents.length, completed, released, orphaned, collected, problems };
}

/** What an earlier process with another layout of the kernel programs' maps has left; answers what went wrong. */
async function takeOver({ datapath, log }: Node): Promise<string[]> {
  const taken = await datapath.takeOver();
  if (!taken.ok) return [`the kernel programs' maps of another version are not taken over: ${taken.error.message}`];
  if (taken.value === undefined) return [];
  log.info({ hooks: taken.value.hooks }, "took over from another version's kernel programs");
  return taken.value.failures.map(({ message }) => `not taken over from another version's kernel programs: ${message}`);
}

/**
 * Every attachment's lease is durable before its link is made, so a marked link without a lease means that the journal lost records: the pod may live,
 * and nothing is removed before DEL or GC has said so. Its address is not given out meanwhile (the pool sees it in use).
 */
async function collectUnlessOrphans(node: Node, problems: string[]): Promise<number> {
  const surveyed = await node.datapath.survey();
  if (!surveyed.ok) {
    problems.push(surveyed.error.message);
    return 0;
  }
  const strangers = surveyed.value.filter(({ id }) => node.pool.lease(id) === undefined);
  if (strangers.length > 0) {
    for (const { id, hostIfName, addresses } of strangers)
      problems.push(`${hostIfName} of ${id} (${addresses.join(", ")}) has no lease and is left alone`);
    return 0;
  }
  const { removed, failures } = await node.datapath.collect();
  problems.push(...failures.map((failure) => failure.message));
  return removed.length;
}

/**
 * Whether a live pod of the lease shows a link here even when its namespace cannot be entered: the host end of a pair does. What hangs on an ENI, and an
 * ENI that moved into the pod without a pair beside it, stand in the pod alone.
 */
function hasHostEnd(lease: Lease): boolean {
  const attachment = readAttachment(lease);
  if (attachment?.mode === "ipvlan" || attachment?.mode === "vlan") return false;
  return attachment?.mode !== "exclusive" || attachment.hostPeer !== false;
}

/** Leases whose namespace still stands at its path. */
async function withNamespace(leases: readonly Lease[]): Promise<Set<Lease>> {
  const alive = new Set<Lease>();
  await each(leases, async (lease) => {
    const there = await access(lease.sandbox.netns).then(
      () => true,
      () => false,
    );
    if (there) alive.add(lease);
  });
  return alive;
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
}

/**
 * Whether the machine has been booted since the last run. The first run counts as no change: there is nothing to release then, and a journal that
 * was carried over without its boot id belongs to live pods.
 */
export async function readBootId(
  stateDir: string,
  source = "/proc/sys/kernel/random/boot_id",
): Promise<{ readonly current: string; readonly changed: boolean }> {
  const path = join(stateDir, "boot-id");
  const current = (await readFile(source, "utf8")).trim();
  const last = await readFile(path, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
  return { current, changed: last !== undefined && last !== "" && last !== current };
}

/** Written only after recovery, so that a crash during it recovers for the same change again. */
export async function writeBootId(stateDir: string, source = "/proc/sys/kernel/random/boot_id"): Promise<void> {
  const path = join(stateDir, "boot-id");
  await writeFile(`${path}.new`, await readFile(source, "utf8"));
  await rename(`${path}.new`, path);
}
