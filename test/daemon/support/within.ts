import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inNetNamespace } from "@terway/lab";

/** A program in a pod's network namespace; resolves with its first line. */
export async function within(netns: string, argv: readonly string[]): Promise<{ child: ChildProcess; lines: AsyncIterator<string> }> {
  const [file = "", ...args] = inNetNamespace(netns, [...argv]);
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return { child, lines };
}

/** The command line of a program in this folder. */
export const script = (name: string) => [process.execPath, join(import.meta.dirname, name)];
