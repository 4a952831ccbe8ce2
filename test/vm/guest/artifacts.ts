import { access, readdir, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, tail } from "../../runner/command.ts";

/** Kernels that guests run, oldest first: the one Terway asks for at least, Debian 12's own, and the newest that Debian 12 carries. */
export const kernelVersions = ["5.10", "6.1", "6.12"] as const;
export type KernelVersion = (typeof kernelVersions)[number];

/** A kernel in the cache. */
export interface Kernel {
  readonly version: KernelVersion;
  /** Version of the Debian package it came with; it names the point release, which floats. */
  readonly packageVersion: string;
  /** What `uname -r` says in the guest. */
  readonly release: string;
  readonly image: string;
  /** ext4 image of what belongs at /lib/modules. */
  readonly modulesDisk: string;
  /** Folder with lib/modules, for modprobe's `-d`. */
  readonly tree: string;
}

export function cacheDirectory(): string {
  return process.env.TERWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "terway");
}

const hostPrograms = {
  "qemu-system-x86_64": "qemu-system-x86",
  busybox: "busybox-static",
  cpio: "cpio",
  modprobe: "kmod",
  mke2fs: "e2fsprogs",
  strip: "binutils",
  setpriv: "util-linux",
} as const;

/** Names of the Debian packages that this machine lacks for running guests. */
export async function missingHostPackages(): Promise<string[]> {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  const missing: string[] = [];
  for (const [program, debianPackage] of Object.entries(hostPrograms)) {
    const found = await Promise.all(folders.map((folder) => exists(join(folder, program))));
    if (!found.includes(true)) missing.push(debianPackage);
  }
  return missing;
}

/** Fetches what the cache lacks (about a minute on the first run, nothing later). Throws with the reason, which names what to install. */
export async function fetchArtifacts(): Promise<void> {
  const script = fileURLToPath(new URL("../fetch.sh", import.meta.url));
  const outcome = await run("bash", [script], { timeoutMs: 15 * 60_000 });
  if (outcome.code !== 0) throw new Error(tail(outcome.output, 20));
}

export async function kernel(version: KernelVersion): Promise<Kernel> {
  const tree = await realpath(join(cacheDirectory(), "kernels", version));
  const [release] = await readdir(join(tree, "lib/modules"));
  if (release === undefined) throw new Error(`${tree}/lib/modules is empty; remove ${tree} and run test/vm/fetch.sh`);
  return {
    version,
    packageVersion: basename(tree),
    release,
    image: join(tree, `boot/vmlinuz-${release}`),
    modulesDisk: join(tree, "modules.ext4"),
    tree,
  };
}

/** The guests' root file system, an ext4 image with Debian in it. */
export function userland(): Promise<string> {
  return realpath(join(cacheDirectory(), "userland/current"));
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
