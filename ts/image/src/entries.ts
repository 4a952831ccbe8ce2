import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { TarEntry } from "./tar.ts";

/**
 * What lies below a directory, in an order that depends on names alone. Of modes only "may be run" is kept: who staged the files, and under which
 * umask, is not part of the image.
 */
export async function entriesOf(root: string, below = ""): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  for (const name of (await readdir(join(root, below))).sort()) {
    const path = `${below}${name}`;
    const file = join(root, path);
    const stat = await lstat(file);
    if (stat.isDirectory()) entries.push({ path: `${path}/`, mode: 0o755 }, ...(await entriesOf(root, `${path}/`)));
    else if (stat.isSymbolicLink()) entries.push({ path, mode: 0o777, link: await readlink(file) });
    else entries.push({ path, mode: stat.mode & 0o100 ? 0o755 : 0o644, data: await readFile(file) });
  }
  return entries;
}
