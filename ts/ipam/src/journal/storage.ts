/** Where the journal's bytes live. One implementation keeps files, the one for tests keeps what would survive a power loss. */
export interface JournalStorage {
  /** For messages, for example `/var/lib/terway/journal`. */
  readonly name: string;
  /** All bytes; empty when there is no journal yet. Called once, first. */
  read(): Promise<Uint8Array>;
  /**
   * Adds bytes at the end and returns when they are durable. A failure takes back what was written, as far as the disk still obeys, because the
   * caller will be told that it did not happen; after it only {@link replace} may be called.
   */
  append(bytes: Uint8Array): Promise<void>;
  /** Puts these bytes in the place of all others, atomically: after a crash at any moment either the old ones are there or the new ones. */
  replace(bytes: Uint8Array): Promise<void>;
  /** Keeps bytes that cannot be used for a person to look at; answers where. */
  setAside(bytes: Uint8Array): Promise<string>;
  /** Gives the journal free for another holder. */
  close(): Promise<void>;
}

/** The disk does not take what has to be durable before anything may change. The operation did not happen. */
export class JournalError extends Error {
  override readonly name = "JournalError";
  /** The system's code, for example `ENOSPC`. */
  readonly code: string;

  constructor(storageName: string, cause: unknown) {
    const code = codeOf(cause);
    super(`the journal ${storageName} cannot be written (${code}): ${remedies[code] ?? "see the kernel log for the disk's errors"}`, {
      cause,
    });
    this.code = code;
  }
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the device; free some, the daemon goes on by itself",
  EDQUOT: "the disk quota is used up; raise it or free some, the daemon goes on by itself",
  EROFS: "the file system is read-only; remount it or repair the disk",
  EIO: "the disk reports an input/output error; see the kernel log",
};

function codeOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.message : String(error);
}
