import type { Clock } from "@terway/model";
import type { Executor } from "./executor.ts";
import type { Failpoint } from "./failpoint.ts";
import type { Inventory } from "./inventory.ts";
import type { LedgerJournal } from "./journal/ledger-journal.ts";
import type { Observer } from "./observer.ts";
import type { Problems } from "./problems.ts";
import type { Quarantine } from "./quarantine.ts";

/** After a restart, addresses that only the journal knows wait this long for the cloud's first answer, then they are given out without it. */
export const firstLookGraceMs = 1_000;

export interface LookoutParts {
  readonly clock: Clock;
  readonly journal: LedgerJournal;
  readonly inventory: Inventory;
  readonly quarantine: Quarantine;
  readonly executor: Executor;
  readonly observer: Observer;
  readonly problems: Problems;
  readonly failpoint: (name: Failpoint) => Promise<void>;
  /** Addresses in use in the kernel, leases or not. */
  readonly occupied: (() => Promise<readonly string[]>) | undefined;
  /** The journal's word is not enough, however long the cloud does not answer. */
  readonly outdated: boolean;
  /** A look has ended; whether the cloud answered. */
  readonly onLook: ((answered: boolean) => void) | undefined;
}

/**
 * When to look at the cloud, and what the first look sets free.
 *
 * Until the cloud has answered once, nothing is begun in it: slots may be taken that the journal does not know of (F34), and what an older process
 * began is not taken up. Free addresses that the journal knows are given out all the same when the cloud does not answer within a second: the
 * journal is the cloud's last word, every change of ours since is an open intent in it (whose addresses are not free), and a node whose cloud is
 * away has to start pods. A hand that changed the ENIs meanwhile is what the metadata service is asked about, which is local; what it does not
 * show stays withheld (I2).
 */
export class Lookout {
  /** The cloud has answered once. */
  seen = false;
  /** The first look has ended, with or without an answer. */
  ended = false;
  private readonly parts: LookoutParts;
  private readonly onChange: () => void;
  private waiting: (() => void)[] = [];
  private looking = false;
  private failures = 0;
  private stopped = false;
  private cancelTimer: (() => void) | undefined;
  private dueMs = Number.POSITIVE_INFINITY;

  constructor(parts: LookoutParts, onChange: () => void) {
    this.parts = parts;
    this.onChange = onChange;
  }

  start(): void {
    this.parts.clock.after(firstLookGraceMs, () => {
      if (this.seen || this.stopped || this.parts.outdated) return;
      this.parts.inventory.trustJournal = true;
      this.onChange();
    });
    void this.look();
  }

  /** Resolves when a look that began after this call has ended. */
  request(): Promise<void> {
    if (this.stopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (!this.looking) void this.look();
    });
  }

  /** Something is to be seen that was not: the next look comes in this time at the latest. */
  within(delayMs: number): void {
    const { clock } = this.parts;
    if (this.stopped || this.looking || clock.monotonicMs() + delayMs >= this.dueMs) return;
    this.lookAfter(delayMs, false);
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
    for (const wake of this.waiting.splice(0)) wake();
  }

  /** `byItself`: nobody asked for it, so that the instance's own word is enough where it contradicts nothing. */
  private async look(byItself = false): Promise<void> {
    this.looking = true;
    this.cancelTimer?.();
    const served = this.waiting.splice(0);
    try {
      await this.readOccupied();
      const isQuiet = byItself && this.failures === 0 && this.seen && (await this.parts.observer.isQuiet());
      if (!isQuiet || served.length > 0 || this.waiting.length > 0) await this.lookOnce();
      this.parts.problems.clear("look");
    } catch (error) {
      // The kernel or the disk did not answer (or the pool closes): the next look comes.
      this.failures += 1;
      const message = `the node's state cannot be compared: ${error instanceof Error ? error.message : String(error)}`;
      if (!this.stopped) this.parts.problems.set("look", { class: "transient", code: "LookFailed", message });
    }
    this.looking = false;
    this.ended = true;
    for (const wake of served) wake();
    if (this.stopped) return;
    if (this.waiting.length > 0) void this.look();
    else this.lookAfter(this.parts.observer.delayMs(this.failures, this.seen), true);
    this.onChange();
  }

  private lookAfter(delayMs: number, byItself: boolean): void {
    const { clock } = this.parts;
    this.cancelTimer?.();
    this.dueMs = clock.monotonicMs() + delayMs;
    this.cancelTimer = clock.after(delayMs, () => void this.look(byItself));
  }

  private async lookOnce(): Promise<void> {
    const { observer, inventory, executor } = this.parts;
    const answered = await observer.look();
    this.parts.onLook?.(answered);
    this.failures = answered ? 0 : this.failures + 1;
    if (this.seen) return;
    if (!answered) {
      await observer.askMetadata();
      inventory.trustJournal = !this.parts.outdated;
      return;
    }
    await this.parts.failpoint("recover.observed");
    this.seen = true;
    // From now on the cloud's word counts: what it has not shown is not used.
    inventory.trustJournal = false;
    for (const operation of [...inventory.running.values()]) if (!executor.isActive(operation.id)) executor.resume(operation);
  }

  /** Addresses that were in use without a lease and are not any more begin to rest. */
  private async readOccupied(): Promise<void> {
    const { occupied, inventory, journal, quarantine } = this.parts;
    if (!occupied) return;
    const askedMs = this.parts.clock.monotonicMs();
    // Released while the kernel was being read: what it showed of them is older than their release.
    const isHeld = (address: string) =>
      journal.ledger.holders.has(address) || quarantine.beganSince(journal.ledger.resting.get(address), askedMs);
    const now = new Set((await occupied()).filter((address) => !isHeld(address)));
    const freed = [...inventory.occupied].filter((address) => !now.has(address) && !isHeld(address));
    if (freed.length > 0) await journal.commit([{ t: "rest", addresses: freed, rest: quarantine.begin() }]);
    inventory.occupied.clear();
    for (const address of now) inventory.occupied.add(address);
  }
}
