import type { CloudError } from "@terway/model";
import type { BackoffSteps } from "./backoff.ts";
import { backoffMs } from "./backoff.ts";
import type { LedgerJournal } from "./journal/ledger-journal.ts";
import type { JournalRecord, Operation } from "./journal/record.ts";
import { JournalError } from "./journal/storage.ts";
import { assignAddresses } from "./operation/assign.ts";
import { attachEni } from "./operation/attach.ts";
import type { OperationContext } from "./operation/context.ts";
import { Stopped } from "./operation/context.ts";
import { createEni } from "./operation/create.ts";
import { removeEni } from "./operation/remove.ts";
import { unassignAddresses } from "./operation/unassign.ts";

const journalSteps: BackoffSteps = { firstMs: 1_000, maxMs: 15_000 };
/** After a defect of ours, the operation is looked at again this much later, as after a crash. */
const defectRetryMs = 30_000;

/** Terway attaches at most 5 ENIs of an instance at a time; more calls in flight only meet the throttle. */
export const maxOperationsInFlight = 5;

/** Giving back is never urgent, and leaves the call budget (I11) to what is. */
export const maxReleasesInFlight = 2;

/** An operation whose last call failed and that will try again. */
export interface Stall {
  readonly by: CloudError;
  /** In a row. */
  readonly failures: number;
}

/** Runs the operations, several at a time, and keeps the order that makes them recoverable: intent, cloud, completion. */
export class Executor {
  private readonly context: OperationContext;
  private readonly journal: LedgerJournal;
  private readonly onChange: () => void;
  /** Operations that work now; an unassign that only waits to be seen is not among them. */
  private readonly active = new Set<string>();
  private readonly stalls = new Map<string, Stall>();
  private stopped = false;

  constructor(
    journal: LedgerJournal,
    context: Omit<OperationContext, "record" | "finish" | "stalled" | "checkpoint">,
    /** Something is different: addresses, operations or their hopes. */
    onChange: () => void,
  ) {
    this.journal = journal;
    this.onChange = onChange;
    this.context = {
      ...context,
      record: (records) => this.record(records),
      finish: (operation, records, next) => this.finish(operation, records, next),
      stalled: (operation, by) => this.stalled(operation, by),
      checkpoint: () => this.checkpoint(),
    };
  }

  get inFlight(): number {
    return this.active.size;
  }

  get releasing(): number {
    let count = 0;
    for (const { id, kind } of this.context.inventory.running.values())
      if ((kind === "unassign" || kind === "remove") && this.active.has(id)) count += 1;
    return count;
  }

  /** Those that may yet bring addresses. */
  get supplying(): { total: number; stalled: Stall[] } {
    const suppliers = [...this.context.inventory.running.values()].filter((operation) =>
      ["create", "attach", "assign"].includes(operation.kind),
    );
    return { total: suppliers.length, stalled: suppliers.flatMap(({ id }) => this.stalls.get(id) ?? []) };
  }

  /** Journals the intent, then does it. Counts as running from this call on. */
  start(operation: Operation): void {
    this.launch(operation, async () => {
      try {
        await this.journal.commit([{ t: "begin", operation }]);
      } catch (error) {
        this.context.inventory.running.delete(operation.id);
        this.journalFailed(error);
        return;
      }
      this.journalWorks();
      await this.context.failpoint(`${operation.kind}.journaled`);
      this.checkpoint();
      await this.drive(operation, false);
    });
  }

  /** Takes up an operation that an older process began, or that has to be looked at again. */
  resume(operation: Operation): void {
    this.launch(operation, () => this.drive(operation, true));
  }

  isActive(operationId: string): boolean {
    return this.active.has(operationId);
  }

  stop(): void {
    this.stopped = true;
  }

  /** Records facts, however long the disk needs. */
  async record(records: readonly JournalRecord[]): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      this.checkpoint();
      try {
        await this.journal.commit(records);
        this.journalWorks();
        return;
      } catch (error) {
        this.journalFailed(error);
        await this.context.clock.sleep(backoffMs(journalSteps, tries, this.context.random));
      }
    }
  }

  private launch(operation: Operation, run: () => Promise<void>): void {
    const { inventory } = this.context;
    inventory.running.set(operation.id, operation);
    if (operation.kind !== "create") inventory.touch(operation.eniId);
    this.active.add(operation.id);
    void this.guard(operation, run);
  }

  private async guard(operation: Operation, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (error instanceof Stopped) return;
      const message = `operation ${operation.kind} met a defect of terway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
      this.context.problems.set(`defect:${operation.kind}`, { class: "unknown", code: "InternalDefect", message });
      this.context.clock.after(defectRetryMs, () => {
        if (!this.stopped && this.context.inventory.running.has(operation.id)) this.resume(operation);
      });
    }
    this.active.delete(operation.id);
    this.stalls.delete(operation.id);
    this.onChange();
  }

  private drive(operation: Operation, resumed: boolean): Promise<void> {
    switch (operation.kind) {
      case "create":
        return createEni(this.context, operation, resumed);
      case "attach":
        return attachEni(this.context, operation, resumed);
      case "assign":
        return assignAddresses(this.context, operation, resumed);
      case "unassign":
        return unassignAddresses(this.context, operation);
      case "remove":
        return removeEni(this.context, operation);
    }
  }

  private async finish(operation: Operation, records: readonly JournalRecord[], next?: Operation): Promise<void> {
    const begin = next ? [{ t: "begin" as const, operation: next }] : [];
    if (operation.kind !== "create") this.context.inventory.touch(operation.eniId);
    await this.record([...records, ...begin, { t: "end", id: operation.id }]);
    this.context.inventory.running.delete(operation.id);
    if (operation.kind !== "create") this.context.inventory.touch(operation.eniId);
    if (!next) return;
    this.launch(next, async () => {
      await this.context.failpoint(`${next.kind}.journaled`);
      this.checkpoint();
      await this.drive(next, false);
    });
  }

  private stalled(operation: Operation, by: CloudError | undefined): void {
    if (by === undefined) {
      this.stalls.delete(operation.id);
      return;
    }
    this.stalls.set(operation.id, { by, failures: (this.stalls.get(operation.id)?.failures ?? 0) + 1 });
    this.onChange();
  }

  private checkpoint(): void {
    if (this.stopped) throw new Stopped();
  }

  private journalFailed(error: unknown): void {
    if (!(error instanceof JournalError)) throw error;
    this.context.problems.set("journal", { class: "journal", code: error.code, message: error.message });
    this.context.backoffs.fail("journal", journalSteps);
  }

  private journalWorks(): void {
    this.context.problems.clear("journal");
    this.context.backoffs.succeed("journal");
  }
}
