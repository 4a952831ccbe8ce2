import { truncate, writeFile } from "node:fs/promises";
import { run, tail } from "../../runner/command.ts";

/** A disk of a guest, beside its root. */
export interface Disk {
  /** ext4 image on the host. */
  readonly image: string;
  /** Absolute path in the guest; made when it is not there. */
  readonly mountPoint: string;
  /** Written through to the image. A disk that is not writable is mounted read-only, and may serve several guests at once. */
  readonly writable?: boolean;
}

/** Makes an ext4 image from a folder's content. The file is sparse: `sizeMiB` is the room, not the space it takes. */
export async function diskFromFolder(folder: string, image: string, sizeMiB: number): Promise<void> {
  await mke2fs(image, ["-O", "^has_journal", "-d", folder, image, `${sizeMiB}M`]);
}

/** Makes an empty ext4 image, for results and for what is written while a guest runs. */
export async function emptyDisk(image: string, sizeMiB: number): Promise<void> {
  await writeFile(image, "");
  await truncate(image, sizeMiB * 1024 * 1024);
  await mke2fs(image, ["-O", "^has_journal", image]);
}

/** Copies a folder of an image that no guest uses any more to the host; nothing is mounted for it. */
export async function copyFromDisk(image: string, folder: string, to: string): Promise<void> {
  const outcome = await run("/usr/sbin/debugfs", ["-R", `rdump ${folder} ${to}`, image]);
  if (outcome.code !== 0) throw new Error(`debugfs cannot read ${folder} of ${image}: ${tail(outcome.output)}`);
}

async function mke2fs(image: string, args: readonly string[]): Promise<void> {
  const outcome = await run("/usr/sbin/mke2fs", ["-q", "-F", "-t", "ext4", "-m", "0", ...args]);
  if (outcome.code !== 0) throw new Error(`mke2fs cannot make ${image}: ${tail(outcome.output)}`);
}
