import { access, readFile } from "node:fs/promises";
import { findCgroups, labCgroup } from "./cgroup.ts";
import { run } from "./command.ts";
import { LabDirectory, labIdVariable } from "./lab-directory.ts";
import { listNetNamespaces, netNamespaceInode } from "./netns.ts";
import { describeProcess, type ProcessRecord, processesInNetNamespaces, processesWithEnvironment } from "./process.ts";

/** Every namespace of a lab has a name that starts so. */
export function namespacePrefix(id: string): string {
  return `tw-${id}-`;
}

/** One thing of a lab that is still there, as people know it: `process 4711 containerd …`, `network namespace tw-demo-vpc`. */
export type Leftover = string;

/** Processes of the lab: those started with its id, and any that are in one of its network namespaces (a pod's program has no environment of ours). */
export async function labProcesses(id: string): Promise<ProcessRecord[]> {
  const inodes = await Promise.all((await listNetNamespaces(namespacePrefix(id))).map((netns) => netNamespaceInode(netns.path)));
  const found = new Map<number, ProcessRecord>();
  for (const record of await processesWithEnvironment(labIdVariable, id)) found.set(record.pid, record);
  for (const record of await processesInNetNamespaces(new Set(inodes.filter((inode) => inode !== undefined))))
    found.set(record.pid, record);
  found.delete(process.pid);
  return [...found.values()];
}

/** Everything on this machine that carries the run id. Empty when nothing of the lab is left. */
export async function findLeftovers(id: string): Promise<Leftover[]> {
  const directory = new LabDirectory(id).path;
  const left: Leftover[] = [];
  for (const record of await labProcesses(id)) left.push(`process ${await describeProcess(record)}`);
  for (const netns of await listNetNamespaces(namespacePrefix(id))) left.push(`network namespace ${netns.name}`);
  for (const path of await findCgroups(labCgroup(id))) left.push(`cgroup ${path}`);
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => line.split(" ")[1] ?? "");
  for (const target of mounts) if (target === directory || target.startsWith(`${directory}/`)) left.push(`mount ${target}`);
  const exists = await access(directory).then(
    () => true,
    () => false,
  );
  if (exists) left.push(`directory ${directory}`);
  return left;
}

const listings = [
  ["ip", "-oneline", "link", "show"],
  ["ip", "-4", "route", "show", "table", "all"],
  ["ip", "-6", "route", "show", "table", "all"],
  ["ip", "-4", "rule", "show"],
  ["ip", "-6", "rule", "show"],
] as const;

/** Links, routes and rules of the machine's own network namespace that mention one of these addresses. A lab makes nothing there. */
export async function hostTraces(addresses: readonly string[]): Promise<Leftover[]> {
  const wanted = new Set(addresses);
  const answers = await Promise.all(listings.map((argv) => run(argv)));
  const lines = answers.flatMap(({ stdout }) => stdout.split("\n"));
  return lines
    .filter((line) => line.split(/[\s/]+/).some((word) => wanted.has(word)))
    .map((line) => `in the host's namespace: ${line.trim()}`);
}
