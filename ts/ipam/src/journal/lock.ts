import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "@terway/model";
import { z } from "zod";

const holderSchema = z.object({ pid: z.number(), sinceMs: z.number() });

/** Another live process holds the journal. */
export class JournalLockedError extends Error {
  override readonly name = "JournalLockedError";
  readonly holderPid: number | undefined;

  constructor(directory: string, holderPid: number | undefined, waitedMs: number) {
    const holder = holderPid === undefined ? "another process" : `process ${holderPid}`;
    super(
      `the journal ${directory} is in use by ${holder} (waited ${waitedMs} ms); only one daemon may run on a node, stop the other one first`,
    );
    this.holderPid = holderPid;
  }
}

export interface JournalLock {
  release(): void;
}

/**
 * The exclusive lock on a journal's directory. The kernel must drop it when the holder dies in any way, it must work across network and mount
 * namespaces, and Node offers neither flock nor fcntl. SQLite, which is part of Node, takes a POSIX record lock on a file for `BEGIN EXCLUSIVE`
 * and guards a second opening in the same process too; nothing is ever written to that file. What was rejected: an abstract unix socket (one lock
 * per network namespace instead of per directory), a file with the holder's pid (two processes that find the same dead holder race).
 *
 * Waits up to `waitMs` for the present holder to go, as in a rolling update. Throws {@link JournalLockedError}.
 */
export async function lockJournal(directory: string, clock: Clock, waitMs: number): Promise<JournalLock> {
  const startMs = clock.monotonicMs();
  for (;;) {
    const lock = tryLock(directory);
    if (lock) {
      // Only for the message of whoever finds the lock taken.
      await writeFile(join(directory, "holder.json"), JSON.stringify({ pid: process.pid, sinceMs: clock.wallMs() })).catch(() => undefined);
      return lock;
    }
    const waitedMs = clock.monotonicMs() - startMs;
    if (waitedMs >= waitMs) throw new JournalLockedError(directory, await holderPid(directory), Math.round(waitedMs));
    await clock.sleep(Math.min(50, waitMs - waitedMs));
  }
}

function tryLock(directory: string): JournalLock | undefined {
  const database = new DatabaseSync(join(directory, "lock"), { timeout: 0 });
  try {
    // The rollback journal in memory: no second file appears beside the lock.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}

/** SQLITE_BUSY, with its extended codes. */
function isBusy(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && "errcode" in error && typeof error.errcode === "number" && (error.errcode & 0xff) === 5
  );
}

async function holderPid(directory: string): Promise<number | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(join(directory, "holder.json"), "utf8"))).pid;
  } catch {
    return undefined;
  }
}
