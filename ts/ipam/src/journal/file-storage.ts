import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@terway/model";
import type { FailpointHook } from "../failpoint.ts";
import type { JournalLock } from "./lock.ts";
import { lockJournal } from "./lock.ts";
import type { JournalStorage } from "./storage.ts";

export interface FileStorageOptions {
  /** Made when it is missing, for root only: the journal names every pod of the node. */
  readonly directory: string;
  readonly clock: Clock;
  /** How long to wait for another process to give the journal free. */
  readonly lockWaitMs: number;
  readonly failpoint?: FailpointHook | undefined;
}

const { O_APPEND, O_CREAT, O_DSYNC, O_EXCL, O_WRONLY } = constants;
/** Each write returns when it is durable (O_DSYNC): one system call and one trip to a thread instead of two with fdatasync. */
const appendDurably = O_WRONLY | O_APPEND | O_CREAT | O_DSYNC;

/** The journal as `journal` in a directory of its own, locked for this process. Throws what the file system says, or that it is locked. */
export async function openFileStorage(options: FileStorageOptions): Promise<JournalStorage> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const lock = await lockJournal(options.directory, options.clock, options.lockWaitMs);
  try {
    // A snapshot that was not finished is worth nothing.
    await rm(join(options.directory, "journal.tmp"), { force: true });
    const handle = await open(join(options.directory, "journal"), appendDurably, 0o600);
    await syncDirectory(options.directory);
    return new FileStorage(options, lock, handle);
  } catch (error) {
    lock.release();
    throw error;
  }
}

class FileStorage implements JournalStorage {
  readonly name: string;
  private readonly options: FileStorageOptions;
  private readonly lock: JournalLock;
  private handle: FileHandle;
  /** Bytes that are durable. */
  private size = 0;

  constructor(options: FileStorageOptions, lock: JournalLock, handle: FileHandle) {
    this.name = options.directory;
    this.options = options;
    this.lock = lock;
    this.handle = handle;
  }

  async read(): Promise<Uint8Array> {
    const bytes = await readFile(join(this.options.directory, "journal"));
    this.size = bytes.length;
    return bytes;
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      await writeFully(this.handle, bytes);
      await this.options.failpoint?.("journal.append.written");
      this.size += bytes.length;
    } catch (error) {
      await this.handle.truncate(this.size).catch(() => undefined);
      throw error;
    }
  }

  async replace(bytes: Uint8Array): Promise<void> {
    const temporary = join(this.options.directory, "journal.tmp");
    await rm(temporary, { force: true });
    const handle = await open(temporary, appendDurably | O_EXCL, 0o600);
    try {
      await writeFully(handle, bytes);
      await this.options.failpoint?.("journal.snapshot.written");
      await handle.sync();
      await this.options.failpoint?.("journal.snapshot.synced");
      await rename(temporary, join(this.options.directory, "journal"));
    } catch (error) {
      await handle.close();
      await rm(temporary, { force: true });
      throw error;
    }
    // From here on the new file is the journal, whatever happens next.
    const old = this.handle;
    this.handle = handle;
    this.size = bytes.length;
    await old.close();
    await this.options.failpoint?.("journal.snapshot.renamed");
    await syncDirectory(this.options.directory);
  }

  async setAside(bytes: Uint8Array): Promise<string> {
    const path = join(this.options.directory, `damaged-${new Date(this.options.clock.wallMs()).toISOString().replaceAll(":", "")}`);
    const handle = await open(path, "w", 0o600);
    try {
      await writeFully(handle, bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(this.options.directory);
    return path;
  }

  async close(): Promise<void> {
    await this.handle.close();
    this.lock.release();
  }
}

/** `write` may take less than it was given, above all on a disk that is almost full. */
async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.length) offset += (await handle.write(bytes, offset)).bytesWritten;
}

/** A rename is durable only when the directory is (ext4 and xfs alike). */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
