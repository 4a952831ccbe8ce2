import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, tail } from "../../runner/command.ts";
import type { Kernel } from "./artifacts.ts";

/** What a kernel needs before it can read a disk; everything else comes from /lib/modules once that is mounted. */
const earlyModules = ["virtio_pci", "virtio_blk", "ext4"];

const applets = ["sh", "mount", "mkdir", "insmod", "sleep", "poweroff", "cp", "switch_root"];

export interface MountLine {
  readonly device: string;
  readonly mountPoint: string;
  readonly options: string;
}

/** Builds the initial RAM file system of one boot in `folder` and returns the archive's path. `command` is a bash script. */
export async function buildInitramfs(kernel: Kernel, folder: string, mounts: readonly MountLine[], command: string): Promise<string> {
  const root = join(folder, "initramfs");
  for (const name of ["bin", "modules", "proc", "sys", "dev", "root"]) await mkdir(join(root, name), { recursive: true });
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  for (const applet of applets) await symlink("busybox", join(root, "bin", applet));

  const modules = await inLoadOrder(kernel, earlyModules);
  for (const file of modules) await copyFile(file, join(root, "modules", basename(file)));
  await writeFile(join(root, "order"), modules.map((file) => `${basename(file)}\n`).join(""));
  await writeFile(join(root, "disks"), mounts.map((line) => `${line.device} ${line.mountPoint} ${line.options}\n`).join(""));

  await writeFile(join(root, "init"), await script("init.sh"));
  await chmod(join(root, "init"), 0o755);
  await writeFile(join(root, "start.sh"), await script("start.sh"));
  await writeFile(join(root, "command.sh"), command);

  // Not compressed: unpacking costs an emulated processor more than copying.
  const archive = join(folder, "initramfs.cpio");
  const outcome = await run("sh", ["-c", 'cd "$1" && find . | cpio -o -H newc --quiet >"$2"', "sh", root, archive]);
  if (outcome.code !== 0) throw new Error(`cpio cannot pack ${root}: ${tail(outcome.output)}`);
  return archive;
}

/** Files of these modules and of all they need, each after what it needs; what is built into the kernel is left out. */
async function inLoadOrder(kernel: Kernel, names: readonly string[]): Promise<string[]> {
  const files = new Set<string>();
  for (const name of names) {
    const outcome = await run("/usr/sbin/modprobe", ["-d", kernel.tree, "-S", kernel.release, "--show-depends", name]);
    if (outcome.code !== 0) throw new Error(`kernel ${kernel.release} has no module ${name}: ${tail(outcome.output)}`);
    for (const [, file] of outcome.output.matchAll(/^insmod (\S+)/gm)) if (file !== undefined) files.add(file);
  }
  return [...files];
}

function script(name: string): Promise<string> {
  return readFile(fileURLToPath(new URL(name, import.meta.url)), "utf8");
}
