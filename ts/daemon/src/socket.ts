import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** `sun_path` less its terminating zero; Node's own error does not say that the name is too long. */
const maxPathBytes = 107;

/**
 * Listens on a private name and renames it over `path`: a stale socket file does not hinder, clients meet either the old daemon or the new
 * one, and closing unlinks the private name only, never the socket of a newer daemon. A socket file left behind refuses connections,
 * which the executable treats like a missing one.
 */
export async function publishSocket(path: string, processId: number, listen: (privatePath: string) => Promise<unknown>): Promise<void> {
  const privatePath = `${path}.${processId}`;
  if (Buffer.byteLength(privatePath) > maxPathBytes) throw new Error(`socket path ${path} is too long: at most ${maxPathBytes - 12} bytes`);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(privatePath, { force: true });
  await listen(privatePath);
  await chmod(privatePath, 0o600);
  await rename(privatePath, path);
}
