/** One thing that happened. Plain data; the same seed and commands give the same entries. */
export interface HistoryEntry {
  readonly sequence: number;
  readonly atMs: number;
  readonly kind: "call" | "metadata" | "transition" | "second-actor" | "fabric";
  /** Operation, metadata path, transition, admin command, or what the fabric should have done. */
  readonly action: string;
  /** Access key of a call, instance of a metadata request. */
  readonly caller?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** HTTP status; absent for what is no request, 0 when the connection was reset. */
  readonly status?: number;
  /** Error code of what was refused or failed. */
  readonly code?: string;
  readonly message?: string;
  /** The ENI that was made or concerned. */
  readonly resource?: string;
  /** Where a transition ended. */
  readonly result?: string;
  readonly requestId?: string;
  /** Ids of the fault rules that had a hand in it, and what they did to the answer's way. */
  readonly faults: readonly string[];
  readonly delivery?: string;
}

export interface ActionCount {
  readonly calls: number;
  readonly failures: number;
  readonly byCode: Readonly<Record<string, number>>;
}

/** Everything that happened since the last clear; the oldest entries go when there are too many, the counters stay. */
export class History {
  #entries: HistoryEntry[] = [];
  #counters = new Map<string, { calls: number; failures: number; byCode: Record<string, number> }>();
  #sequence = 0;
  readonly #limit: number;

  constructor(limit = 200_000) {
    this.#limit = limit;
  }

  add(entry: Omit<HistoryEntry, "sequence">): void {
    this.#entries.push({ sequence: ++this.#sequence, ...entry });
    if (this.#entries.length > this.#limit * 1.1) this.#entries = this.#entries.slice(-this.#limit);
    if (entry.kind === "call") this.#count(entry.action, entry.code);
  }

  entries(): readonly HistoryEntry[] {
    return this.#entries;
  }

  counters(): Readonly<Record<string, ActionCount>> {
    return Object.fromEntries(this.#counters);
  }

  clear(): void {
    this.#entries = [];
    this.#counters.clear();
  }

  #count(action: string, code: string | undefined): void {
    const counter = this.#counters.get(action) ?? { calls: 0, failures: 0, byCode: {} };
    this.#counters.set(action, counter);
    counter.calls++;
    if (code === undefined) return;
    counter.failures++;
    counter.byCode[code] = (counter.byCode[code] ?? 0) + 1;
  }
}
