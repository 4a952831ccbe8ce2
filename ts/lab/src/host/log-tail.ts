import { readFile } from "node:fs/promises";

/** How a process's log ends, for the message of an error about it: the file itself goes with the lab. */
export async function logTail(file: string, lines = 8): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => "");
  const last = text.trimEnd().split("\n").slice(-lines).join("\n  ");
  return last === "" ? `${file} is empty` : `${file} ends with\n  ${last}`;
}
