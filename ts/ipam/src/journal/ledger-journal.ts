import type { Ledger } from "./ledger.ts";
import type { JournalRecord } from "./record.ts";

/**
 * What makes a pool's facts durable. On a node that is a file ({@link Journal}); a control plane keeps the same records in the node's object. The ledger
 * changes when a commit is durable, never before.
 */
export interface LedgerJournal {
  readonly ledger: Ledger;
  /** Something was lost when it was opened: what the cloud and the kernel say then weighs more. */
  readonly repaired: boolean;
  /** There was nothing to replay. */
  readonly fresh: boolean;
  /** Resolves when the records are durable and in the ledger, all of them or none. Rejects with `JournalError`; then they are not. */
  commit(records: readonly JournalRecord[]): Promise<void>;
  /** The same for records that nobody waits for: a crash before they are durable loses only what recovery finds out again. */
  commitSoon(records: readonly JournalRecord[]): Promise<void>;
  /** Waits for what was committed, then gives it free for another holder. */
  close(): Promise<void>;
}
