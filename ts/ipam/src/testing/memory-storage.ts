import type { JournalStorage } from "../journal/storage.ts";

/** A disk for tests: what was synced survives {@link MemoryDisk.crash}, of what was not, any prefix may. */
export class MemoryDisk {
  readonly setAside: Uint8Array[] = [];
  /** How often it was made to sync. */
  syncs = 0;
  /** Thrown by writes while set, for example `Object.assign(new Error("…"), { code: "ENOSPC" })`. */
  failure: Error | undefined;
  private chunks: Uint8Array[] = [];
  /** Bytes handed to an append that is not durable yet. */
  private pending: Uint8Array = new Uint8Array();
  private holder = 0;

  /** What is on the platter. */
  get durable(): Uint8Array {
    return Buffer.concat(this.chunks);
  }

  set durable(bytes: Uint8Array) {
    this.chunks = [bytes];
  }

  /** Opens it for a new process; whatever an older one still tries has no effect and never ends. */
  open(): JournalStorage {
    this.holder += 1;
    const me = this.holder;
    const disk = this;
    const alive = async () => {
      if (disk.holder !== me) await new Promise(() => {});
    };
    const write = async (change: () => void) => {
      await alive();
      if (disk.failure) throw disk.failure;
      await Promise.resolve();
      await alive();
      disk.syncs += 1;
      change();
    };
    return {
      name: "memory",
      read: async () => disk.durable,
      async append(bytes) {
        // A refused append leaves nothing behind, see FileStorage.
        if (!disk.failure) disk.pending = bytes;
        await write(() => {
          disk.chunks.push(bytes);
          disk.pending = new Uint8Array();
        });
      },
      replace: (bytes) =>
        write(() => {
          disk.chunks = [Uint8Array.from(bytes)];
        }),
      setAside: async (bytes) => {
        disk.setAside.push(Uint8Array.from(bytes));
        return `memory/${disk.setAside.length}`;
      },
      close: async () => {
        if (disk.holder === me) disk.holder += 1;
      },
    };
  }

  /** Power loss. `tornFraction` of what was being written when it happened made it to the platter. */
  crash(tornFraction = 0): void {
    this.holder += 1;
    this.chunks.push(Uint8Array.from(this.pending).subarray(0, Math.floor(this.pending.length * tornFraction)));
    this.pending = new Uint8Array();
  }
}
