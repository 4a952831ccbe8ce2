import { mkdir, readdir, stat } from "node:fs/promises";
import { run } from "./command.ts";

const directory = "/run/netns";

/** A named network namespace, as `ip netns` knows it. Threads of Node cannot enter one; commands do, by path. */
export interface NetNamespace {
  readonly name: string;
  readonly path: string;
}

export function netNamespace(name: string): NetNamespace {
  return { name, path: `${directory}/${name}` };
}

export async function createNetNamespace(name: string): Promise<NetNamespace> {
  await mkdir(directory, { recursive: true });
  await run(["ip", "netns", "add", name]);
  await run(["ip", "-n", name, "link", "set", "lo", "up"]);
  return netNamespace(name);
}

/** Gone already is no error. */
export async function deleteNetNamespace(name: string): Promise<void> {
  await run(["ip", "netns", "del", name], { allow: [1] });
}

export async function listNetNamespaces(prefix: string): Promise<NetNamespace[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => name.startsWith(prefix)).map(netNamespace);
}

/** The namespace's inode, by which `/proc/<pid>/ns/net` names it; undefined when it is gone. */
export async function netNamespaceInode(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.ino;
}

/** The command line that runs `argv` in the namespace. Not `ip netns exec`: that mounts /sys anew and hides the cgroups. */
export function inNetNamespace(path: string, argv: readonly string[]): string[] {
  return ["nsenter", `--net=${path}`, "--", ...argv];
}

/** Writes kernel settings inside the namespace: names as below `/proc/sys`, for example `net/ipv4/ip_forward`. */
export async function setSysctls(path: string, settings: Readonly<Record<string, string | number>>): Promise<void> {
  // /proc/sys/net shows the namespace of the reading task, so one shell inside writes them all.
  const script = Object.entries(settings)
    .map(([name, value]) => `echo ${value} > /proc/sys/${name}`)
    .join("\n");
  await run(inNetNamespace(path, ["sh", "-e"]), { input: script });
}
