import type { Clock, PoolEvent } from "@terway/model";
import type { FailpointHook } from "../failpoint.ts";
import { scanFrames } from "./frame.ts";
import { Ledger } from "./ledger.ts";
import type { LedgerJournal } from "./ledger-journal.ts";
import type { JournalRecord, Rest } from "./record.ts";
import { decodeCommit, encodeCommit } from "./record.ts";
import type { JournalStorage } from "./storage.ts";
import { JournalError } from "./storage.ts";

/** How long records that nobody waits for may wait for others. */
const patienceMs = 5;

export interface JournalOptions {
  readonly storage: JournalStorage;
  readonly clock: Clock;
  /** Whose journal it has to be. One of another instance (a copied disk image) says nothing of this node and is set aside. */
  readonly instanceId: string;
  readonly failpoint?: FailpointHook | undefined;
  readonly onEvent?: ((event: PoolEvent) => void) | undefined;
  /** A rest that is over need not survive a snapshot. */
  readonly isRestOver?: ((rest: Rest) => boolean) | undefined;
  /** Size from which the file is rewritten as a snapshot. Default 1 MiB. */
  readonly snapshotBytes?: number | undefined;
}

interface Commit {
  readonly records: readonly JournalRecord[];
  readonly bytes: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: JournalError) => void;
}

/**
 * Append-only, with group commit: all commits that arrive while the disk is busy share the next write and the next datasync. The event loop never
 * waits for the disk. The ledger changes when a commit is durable, never before, so that a snapshot is exactly what a replay would give.
 */
export class Journal implements LedgerJournal {
  readonly ledger: Ledger;
  /** True when the file was cut at a damaged place while it was opened: what the cloud and the kernel say then weighs more. */
  readonly repaired: boolean;
  /** True when there was nothing to replay. */
  readonly fresh: boolean;
  /** For metrics and tests: how often the disk was made to sync for how many commits. */
  readonly counters = { commits: 0, syncs: 0, snapshots: 0 };
  private readonly options: JournalOptions;
  private queue: Commit[] = [];
  private writing: Promise<void> | undefined;
  private closed = false;
  private cancelFlush: (() => void) | undefined;
  /** After a failed append nobody knows what is on the disk (also after a failed fsync: the page cache forgets); only a new file helps. */
  private broken = false;
  private bytes: number;
  /** A snapshot that is itself large must not be rewritten with every commit. */
  private nextSnapshotAt: number;

  private constructor(options: JournalOptions, ledger: Ledger, bytes: number, state: { repaired: boolean; fresh: boolean }) {
    this.options = options;
    this.ledger = ledger;
    this.bytes = bytes;
    this.repaired = state.repaired;
    this.fresh = state.fresh;
    this.nextSnapshotAt = this.snapshotBytes;
  }

  /** Replays the longest legal prefix. What follows it is set aside, with the event `journal-repaired`. Throws {@link JournalError}. */
  static async open(options: JournalOptions): Promise<Journal> {
    const { storage } = options;
    try {
      const content = await storage.read();
      const { frames, legalBytes } = scanFrames(content);
      let ledger = new Ledger();
      let recordsKept = 0;
      for (const frame of frames) {
        for (const record of decodeCommit(frame)) {
          ledger.apply(record);
          recordsKept += 1;
        }
      }
      let aside = content.subarray(legalBytes);
      if (ledger.instanceId !== undefined && ledger.instanceId !== options.instanceId) {
        aside = content;
        recordsKept = 0;
        const { generation } = ledger;
        ledger = new Ledger();
        ledger.generation = generation;
      }
      const journal = new Journal(options, ledger, legalBytes, { repaired: aside.length > 0, fresh: frames.length === 0 });
      if (aside.length > 0) {
        const setAside = await storage.setAside(aside);
        await options.failpoint?.("journal.repair.set-aside");
        await journal.rewrite([]);
        options.onEvent?.({ type: "journal-repaired", setAside, recordsKept, bytesLost: aside.length });
      }
      if (ledger.instanceId === undefined)
        await journal.commit([{ t: "node", instanceId: options.instanceId, generation: ledger.generation }]);
      return journal;
    } catch (error) {
      throw error instanceof JournalError ? error : new JournalError(storage.name, error);
    }
  }

  /** Resolves when the records are durable and in the ledger, all of them or none. Rejects with {@link JournalError}; then they are not. */
  commit(records: readonly JournalRecord[]): Promise<void> {
    const done = this.enqueue(records);
    this.flush();
    return done;
  }

  /**
   * The same for records that nobody waits for: they ride along with the next commit, or go by themselves after {@link patienceMs}. A crash in
   * between loses only what recovery finds out again.
   */
  commitSoon(records: readonly JournalRecord[]): Promise<void> {
    const done = this.enqueue(records);
    this.cancelFlush ??= this.options.clock.after(patienceMs, () => this.flush());
    return done;
  }

  private enqueue(records: readonly JournalRecord[]): Promise<void> {
    if (this.closed) return Promise.reject(new JournalError(this.options.storage.name, new Error("it is closed")));
    return new Promise<void>((resolve, reject) => {
      this.queue.push({ records, bytes: encodeCommit(records), resolve, reject });
    });
  }

  private flush(): void {
    this.cancelFlush?.();
    this.cancelFlush = undefined;
    if (this.queue.length > 0) this.writing ??= this.writeAll();
  }

  /** Waits for what was committed, then gives the journal free. */
  async close(): Promise<void> {
    this.closed = true;
    this.flush();
    await this.writing;
    await this.options.storage.close();
  }

  private get snapshotBytes(): number {
    return this.options.snapshotBytes ?? 1024 * 1024;
  }

  private async writeAll(): Promise<void> {
    // One turn of the microtask queue, so that everybody who commits in this turn is in the first batch already.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const batch = this.queue;
      this.queue = [];
      await this.write(batch);
    }
    this.writing = undefined;
  }

  private async write(batch: readonly Commit[]): Promise<void> {
    try {
      const frames = batch.map((commit) => commit.bytes);
      if (this.broken || this.bytes >= this.nextSnapshotAt) await this.rewrite(frames);
      else await this.append(frames);
    } catch (error) {
      this.broken = true;
      const failure = new JournalError(this.options.storage.name, error);
      for (const commit of batch) commit.reject(failure);
      return;
    }
    this.counters.commits += batch.length;
    for (const commit of batch) {
      for (const record of commit.records) this.ledger.apply(record);
      commit.resolve();
    }
  }

  private async append(frames: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(frames);
    await this.options.failpoint?.("journal.append.before");
    this.counters.syncs += 1;
    await this.options.storage.append(bytes);
    await this.options.failpoint?.("journal.append.durable");
    this.bytes += bytes.length;
  }

  /** The ledger as a new file, and these frames after it. */
  private async rewrite(frames: readonly Uint8Array[]): Promise<void> {
    if (this.options.isRestOver) this.ledger.prune(this.options.isRestOver);
    const bytes = Buffer.concat([...this.ledger.snapshot(), ...frames]);
    await this.options.failpoint?.("journal.snapshot.before");
    this.counters.syncs += 1;
    this.counters.snapshots += 1;
    await this.options.storage.replace(bytes);
    await this.options.failpoint?.("journal.snapshot.durable");
    this.bytes = bytes.length;
    this.nextSnapshotAt = Math.max(this.snapshotBytes, 2 * bytes.length);
    this.broken = false;
  }
}
