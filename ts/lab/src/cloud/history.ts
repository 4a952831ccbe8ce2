/** One thing that happened. Plain data; the same seed and commands give the same entries. */
export interface HistoryEntry {
  readonly sequence: number;
  readonly atMs: number;
  readonly kind: "call" | "metadata" | "transition" | "second-actor" | "fabric";
  /** Operation, metadata path, transition, or what the second actor did. */
  readonly action: string;
  /** Access key of a call, instance of a metadata request. */
  readonly caller?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly outcome: Outcome;
  readonly requestId?: string;
  /** Ids of the fault rules that had a hand in it. */
  readonly faults: readonly string[];
}

export interface Outcome {
  /** HTTP status as it would be without faults of transport; 0 for what is no request. */
  readonly status: number;
  /** Error code, or what happened. */
  readonly code?: string;
  /** What the caller could see when it is not the whole answer. */
  readonly delivery?: string;
  /** Resources made, changed or answered, where that is one or a few. */
  readonly resource?: string;
  readonly message?: string;
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
    if (entry.kind === "call") this.#count(entry.action, entry.outcome);
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

  #count(action: string, { code }: Outcome): void {
    const counter = this.#counters.get(action) ?? { calls: 0, failures: 0, byCode: {} };
    this.#counters.set(action, counter);
    counter.calls++;
    if (code === undefined) return;
    counter.failures++;
    counter.byCode[code] = (counter.byCode[code] ?? 0) + 1;
  }
}
