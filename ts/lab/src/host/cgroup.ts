import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { patient } from "./patience.ts";

const mountPoint = "/sys/fs/cgroup";

/**
 * The directories below which groups are made: one per hierarchy on a version 1 host (and on a hybrid one), the mount point itself on a
 * version 2 host.
 */
export async function cgroupHierarchies(): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => line.split(" "));
  return mounts
    .filter(([, target, type]) => (type === "cgroup" || type === "cgroup2") && target?.startsWith(mountPoint))
    .map(([, target]) => target ?? "");
}

/** The top group of everything that runs in a lab. */
export function labCgroup(id: string): string {
  return `terway-lab-${id}`;
}

/** Makes the group in every hierarchy. `name` is a path below the root, for example `terway-lab-demo/node-a`. */
export async function createCgroup(name: string): Promise<void> {
  for (const hierarchy of await cgroupHierarchies()) {
    let path = hierarchy;
    for (const part of name.split("/")) {
      path = join(path, part);
      await mkdir(path).catch(ignoreExisting);
      // A version 1 cpuset group starts empty, and a process cannot enter it before it has processors and memory.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) await inherit(path, file);
    }
  }
}

async function inherit(path: string, file: string): Promise<void> {
  const own = await readFile(join(path, file), "utf8").catch(() => undefined);
  if (own === undefined || own.trim() !== "") return;
  const parent = await readFile(join(path, "..", file), "utf8").catch(() => "");
  // Version 2 has the same file and lets it be empty; there the parent's is empty, too.
  if (parent.trim() !== "") await writeFile(join(path, file), parent);
}

/** Every directory of the group and of its subgroups, deepest first. */
export async function findCgroups(name: string): Promise<string[]> {
  const found: string[] = [];
  for (const hierarchy of await cgroupHierarchies()) {
    const top = join(hierarchy, name);
    if (existsSync(top)) await collect(top, found);
  }
  return found;
}

async function collect(path: string, found: string[]): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory()) await collect(join(path, entry.name), found);
  found.push(path);
}

/** Removes the group with its subgroups; one whose processes are just ending is tried again until `timeoutMs` is over. Answers what is left. */
export async function removeCgroups(name: string, timeoutMs: number): Promise<string[]> {
  const end = performance.now() + patient(timeoutMs);
  for (;;) {
    const groups = await findCgroups(name);
    for (const path of groups) await rmdir(path).catch(() => {});
    const left = groups.length === 0 ? [] : await findCgroups(name);
    if (left.length === 0 || performance.now() > end) return left;
    await sleep(20);
  }
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // every rejection of fs/promises is of this shape
}
