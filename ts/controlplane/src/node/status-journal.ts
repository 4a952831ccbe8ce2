import { isDeepStrictEqual } from "node:util";
import { JournalError, type JournalRecord, type Ledger, type LedgerJournal } from "@terway/ipam";
import { ApiError, Backoff } from "@terway/kube";
import type { Clock, Random } from "@terway/model";
import { type Nic, type NodeStatus, readStatus, renderNic, type Shown, touchedBy } from "./status.ts";

/** A Node as far as its status is concerned. */
export interface NodeObjectState {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly status?: NodeStatus | undefined;
}

/** The object at the API server. Methods reject with `ApiError` and `TransportError`. */
export interface StatusPort {
  /** Undefined: there is none. */
  read(): Promise<NodeObjectState | undefined>;
  /** Server-side apply of one part of the status, refused with 409 when the object is not at this version; answers the new version. */
  apply(part: string, status: NodeStatus, resourceVersion: string): Promise<string>;
}

export interface StatusJournalOptions {
  readonly port: StatusPort;
  readonly name: string;
  readonly node: { readonly instanceId: string; readonly zoneId: string };
  readonly clock: Clock;
  readonly random: Random;
  readonly shown: Shown;
  /** The object is not what this process wrote: it is gone, or another one writes it. Nothing is written any more. */
  readonly onLost: (reason: string) => void;
  readonly onTrouble?: (error: unknown, retryMs: number) => void;
  /** Between the parts of a commit, for crash tests. */
  readonly failpoint?: (step: "status.written") => Promise<void>;
}

/** The part of the status that is about no single ENI. */
export const poolPart = "pool";

interface Commit {
  readonly records: readonly JournalRecord[];
  readonly resolve: () => void;
  readonly reject: (error: JournalError) => void;
}

/**
 * The journal of a node's pool in the status of its Node object, one field manager for each ENI: a change costs the ENI that it is about. Commits that
 * arrive while a write is under way share the next one. Every write names the version that it follows, so that two processes that both believe to lead
 * cannot both go on: the slower one is refused, finds what it did not write, and stops.
 *
 * A commit that touches two ENIs is two writes. A crash between them leaves the first alone, which every operation is made for: intents are ended with
 * the facts of their own ENI, and what was recorded is seen again.
 */
export class StatusJournal implements LedgerJournal {
  readonly ledger: Ledger;
  readonly repaired = false;
  readonly fresh: boolean;
  readonly counters = { commits: 0, writes: 0, conflicts: 0 };
  readonly #options: StatusJournalOptions;
  readonly #uid: string;
  /** As it will be when all that is queued is durable. */
  readonly #ahead: Ledger;
  /** What the object holds of us, by part. */
  readonly #written = new Map<string, unknown>();
  #version: string;
  #queue: Commit[] = [];
  #shown = new Map<string, NodeStatus>();
  /** The part about no single ENI, as it shall be. */
  #pool: NodeStatus = {};
  #writing: Promise<void> | undefined;
  #cancelFlush: (() => void) | undefined;
  #closed = false;

  private constructor(options: StatusJournalOptions, object: NodeObjectState) {
    this.#options = options;
    this.#uid = object.uid;
    this.#version = object.resourceVersion;
    this.ledger = readStatus(object.status, options.node);
    this.#ahead = readStatus(object.status, options.node);
    this.fresh = object.status?.lastSyncOpenAPITime === undefined;
    for (const [id, nic] of Object.entries(object.status?.networkInterfaces ?? {})) this.#written.set(id, plain(nic));
  }

  /** Undefined when there is no such object. */
  static async open(options: StatusJournalOptions): Promise<StatusJournal | undefined> {
    const object = await options.port.read();
    return object && new StatusJournal(options, object);
  }

  commit(records: readonly JournalRecord[]): Promise<void> {
    const done = this.#enqueue(records);
    this.#flush();
    return done;
  }

  commitSoon(records: readonly JournalRecord[]): Promise<void> {
    const done = this.#enqueue(records);
    this.#cancelFlush ??= this.#options.clock.after(patienceMs, () => this.#flush());
    return done;
  }

  /** Shows a part that the ledger does not know: {@link poolPart}, or an ENI that is none of ours. The newest word counts; nobody waits for it. */
  show(part: string, status: NodeStatus): void {
    if (this.#closed) return;
    this.#shown.set(part, status);
    if (part === poolPart) this.#pool = status;
    this.#flush();
  }

  /** Resolves when nothing is under way any more; what waits is not written. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelFlush?.();
    this.#rejectAll(new Error("it is closed"));
    await this.#writing;
  }

  #enqueue(records: readonly JournalRecord[]): Promise<void> {
    if (this.#closed) return Promise.reject(this.#failure(new Error("it is closed")));
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, resolve, reject });
    });
  }

  #flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    // Everybody who commits in this turn is in the first write already.
    await Promise.resolve();
    while ((this.#queue.length > 0 || this.#shown.size > 0) && !this.#closed) {
      const batch = this.#queue;
      const shown = this.#shown;
      this.#queue = [];
      this.#shown = new Map();
      try {
        await this.#write(batch, shown);
      } catch (error) {
        const failure = this.#failure(error);
        for (const commit of batch) commit.reject(failure);
        this.#lose(error instanceof Error ? error.message : failure.message);
      }
    }
    this.#writing = undefined;
  }

  async #write(batch: readonly Commit[], shown: ReadonlyMap<string, NodeStatus>): Promise<void> {
    const touched = new Set<string>();
    const all = new Map(shown);
    for (const { records } of batch) {
      for (const record of records) {
        if (record.t === "warmed-up") all.set(poolPart, { ...this.#pool, warmUpCompleted: true });
        for (const id of touchedBy(record, this.#ahead)) touched.add(id);
        this.#ahead.apply(record);
      }
    }
    // The intent of an ENI that has come to be goes last: until then it is found by its token.
    const created = new Set([...touched].filter((id) => this.#written.has(id) && !this.#ahead.enis.has(id)));
    for (const id of [...touched].filter((one) => !created.has(one)).concat(...created)) {
      const nic = renderNic(this.#ahead, id, this.#options.shown);
      await this.#writePart(id, nic === undefined ? undefined : { networkInterfaces: { [id]: nic } });
    }
    for (const [part, status] of all) if (!this.#ahead.enis.has(part)) await this.#writePart(part, status);
    this.counters.commits += batch.length;
    for (const commit of batch) {
      for (const record of commit.records) this.ledger.apply(record);
      commit.resolve();
    }
  }

  async #writePart(part: string, status: NodeStatus | undefined): Promise<void> {
    const { port, clock, random, onTrouble, failpoint } = this.#options;
    const wanted = plain(part === poolPart ? status : status?.networkInterfaces?.[part]);
    if (isDeepStrictEqual(wanted, this.#written.get(part))) return;
    const backoff = new Backoff({ firstMs: 200, mostMs: 10_000, factor: 2, jitter: 0.5 }, random);
    for (;;) {
      if (this.#closed) throw new Error("it is closed");
      try {
        this.counters.writes += 1;
        this.#version = await port.apply(part, status ?? {}, this.#version);
        break;
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) throw error;
        const retryMs = backoff.next();
        if (!(error instanceof ApiError && error.status === 409)) {
          onTrouble?.(error, retryMs);
          await clock.sleep(retryMs);
        }
        // The write may have arrived although its answer did not.
        if (await this.#arrived(part, wanted)) break;
      }
    }
    if (wanted === undefined) this.#written.delete(part);
    else this.#written.set(part, wanted);
    await failpoint?.("status.written");
  }

  /** Looks at the object again: is this part what it shall be? Throws when somebody else has written what is ours. */
  async #arrived(part: string, wanted: unknown): Promise<boolean> {
    this.counters.conflicts += 1;
    const object = await this.#options.port.read().catch(async (error: unknown) => {
      this.#options.onTrouble?.(error, unreadMs);
      await this.#options.clock.sleep(unreadMs);
      return "unread" as const;
    });
    if (object === "unread") return false;
    if (object?.uid !== this.#uid) throw new Error("the object is gone");
    const there = (id: string) => plain(object.status?.networkInterfaces?.[id]);
    const arrived = part !== poolPart && wanted !== undefined && isDeepStrictEqual(there(part), wanted);
    const removed = part !== poolPart && wanted === undefined && there(part) === undefined;
    for (const id of new Set([...this.#written.keys(), ...Object.keys(object.status?.networkInterfaces ?? {})])) {
      const isOwn = id === poolPart || (id === part && (arrived || removed)) || isDeepStrictEqual(there(id), this.#written.get(id));
      if (!isOwn) throw new Error(`${id} of it was written by somebody else`);
    }
    this.#version = object.resourceVersion;
    return arrived || removed;
  }

  #lose(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rejectAll(new Error(reason));
    this.#options.onLost(reason);
  }

  #rejectAll(cause: Error): void {
    for (const commit of this.#queue.splice(0)) commit.reject(this.#failure(cause));
  }

  #failure(cause: unknown): JournalError {
    return cause instanceof JournalError ? cause : new JournalError(this.#options.name, cause);
  }
}

/** Between two tries to read an object that cannot be read. */
const unreadMs = 1_000;
/** How long records that nobody waits for may wait for others. */
const patienceMs = 50;

/** As JSON carries it, for comparison. */
const plain = (value: Nic | NodeStatus | undefined): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

/** Takes away everything that a journal has written; what a person or another program wrote into the status stays. */
export async function clearStatus(port: StatusPort): Promise<void> {
  const object = await port.read();
  if (object?.status === undefined) return;
  let version = object.resourceVersion;
  for (const part of [...Object.keys(object.status.networkInterfaces ?? {}), poolPart]) version = await port.apply(part, {}, version);
}
