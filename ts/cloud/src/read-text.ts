import { readFile } from "node:fs/promises";

/** Text of a small file without surrounding space; undefined when it is not there or cannot be read. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch {
    return undefined;
  }
}
