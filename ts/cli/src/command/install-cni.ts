import { chmod, copyFile, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Output } from "../output.ts";

/** Where the image has the executable. */
export const imageExecutable = "/opt/terway/bin/terway";

/**
 * Puts the CNI executable where the runtime looks for it; what the DaemonSet's init container does. A runtime may be calling the old one at the same
 * moment, so the new one takes its name in one step.
 */
export async function installCni(from: string, into: string, output: Output): Promise<void> {
  const target = join(into, "terway");
  const [wanted, present] = await Promise.all([readFile(from), readFile(target).catch(() => undefined)]);
  if (present?.equals(wanted)) {
    output.write(`${target} is current\n`);
    return;
  }
  await mkdir(into, { recursive: true });
  const temporary = `${target}.new`;
  try {
    await copyFile(from, temporary);
    await chmod(temporary, 0o755);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  output.write(`${target} ${present === undefined ? "installed" : "replaced"}\n`);
}
