import { type Change, CloudState, type TableName } from "./state.ts";

/** Nothing reads further back than this. */
const retentionMs = 120_000;

/** The tables that Describe and metadata read; what decides over a call (keys, faults, settings) is never stale. */
const lagging: ReadonlySet<TableName> = new Set(["vpcs", "vSwitches", "securityGroups", "instances", "enis"]);

/** The state of the past two minutes: an old state and the changes since. Answers what a replica would say that stays behind. */
export class PastStates {
  readonly #base = new CloudState();
  #log: { readonly atMs: number; readonly change: Change }[] = [];

  record(changes: readonly Change[], nowMs: number): void {
    for (const change of changes) if (lagging.has(change.table)) this.#log.push({ atMs: nowMs, change });
    const old = this.#log.findIndex(({ atMs }) => atMs > nowMs - retentionMs);
    // In blocks, so that the cost of shifting the list is shared.
    if (old > 1000) for (const { change } of this.#log.splice(0, old)) this.#base.apply(change);
  }

  /** The current state without lag, else a copy of what it was. */
  view(current: CloudState, nowMs: number, lagMs: number): CloudState {
    if (lagMs <= 0) return current;
    const past = this.#base.clone();
    for (const { atMs, change } of this.#log) if (atMs <= nowMs - lagMs) past.apply(change);
    past.apply({ table: "settings", id: "current", value: current.settings });
    return past;
  }
}
