import { run, tail } from "../../runner/command.ts";

/** A disk of a guest, beside its root. Mounted read-only, so that it may serve several guests at once. */
export interface Disk {
  /** ext4 image on the host. */
  readonly image: string;
  /** Absolute path in the guest; made when it is not there. */
  readonly mountPoint: string;
}

/** Makes an ext4 image from a folder's content. The file is sparse: `sizeMiB` is the room, not the space it takes. */
export async function diskFromFolder(folder: string, image: string, sizeMiB: number): Promise<void> {
  const args = ["-q", "-F", "-t", "ext4", "-m", "0", "-O", "^has_journal", "-d", folder, image, `${sizeMiB}M`];
  const outcome = await run("/usr/sbin/mke2fs", args);
  if (outcome.code !== 0) throw new Error(`mke2fs cannot make ${image}: ${tail(outcome.output)}`);
}
