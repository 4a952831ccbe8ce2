import { readlink, rm } from "node:fs/promises";
import { labCgroup, removeCgroups } from "./cgroup.ts";
import { LabDirectory } from "./lab-directory.ts";
import { findLeftovers, type Leftover, labProcesses, namespacePrefix } from "./leftovers.ts";
import { deleteNetNamespace, listNetNamespaces } from "./netns.ts";
import { type ProcessRecord, signal, waitForEnd } from "./process.ts";

/**
 * Removes everything that carries the run id, whatever state it is in: after a clean end nothing is found, after a crash all of it is. Order:
 * processes first (a node's mounts, and the pods' namespaces in them, die with its process 1), then groups, namespaces (links, routes, rules and
 * filters live in them) and files. Answers what could not be removed.
 */
export async function sweep(id: string): Promise<Leftover[]> {
  // A killed process may have started another one that was not there when the list was made.
  for (let round = 0; round < 5; round += 1) {
    const processes = await labProcesses(id);
    if (processes.length === 0) break;
    // Those on the nodes first: whoever entered them from outside waits for them and reaps them. Orphaned, they would wait for the host's first
    // process, and their node's end with them.
    const own = await pidNamespace(process.pid);
    const spaces = await Promise.all(processes.map((record) => pidNamespace(record.pid)));
    await end(processes.filter((_, index) => spaces[index] !== own));
    await end(processes);
  }
  await removeCgroups(labCgroup(id), 5_000);
  for (const netns of await listNetNamespaces(namespacePrefix(id))) await deleteNetNamespace(netns.name);
  await rm(new LabDirectory(id).path, { recursive: true, force: true });
  return findLeftovers(id);
}

async function end(processes: readonly ProcessRecord[]): Promise<void> {
  for (const record of processes) await signal(record, "SIGKILL");
  for (const record of processes) await waitForEnd(record, 5_000);
}

/** Undefined when the process is gone. */
function pidNamespace(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
}
