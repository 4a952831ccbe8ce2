import { type Clock, type EventReason, type EventSink, type EventSubject, eventReasons } from "@terway/model";
import type { Logger } from "./log.ts";

export interface RecordedEvent {
  readonly atMs: number;
  readonly reason: EventReason;
  readonly type: "Normal" | "Warning";
  readonly subject: EventSubject;
  readonly message: string;
  /** How often the same event came in a row. */
  readonly count: number;
}

/** Keeps the last events for `terway-cli`, writes warnings to the log, and hands each one on. */
export class EventLog implements EventSink {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #limit: number;
  readonly #further: EventSink | undefined;
  #ring: RecordedEvent[] = [];

  constructor(clock: Clock, log: Logger, { limit = 256, further }: { readonly limit?: number; readonly further?: EventSink } = {}) {
    this.#clock = clock;
    this.#log = log;
    this.#limit = limit;
    this.#further = further;
  }

  emit(reason: EventReason, subject: EventSubject, message: string): void {
    const { type } = eventReasons[reason];
    this.#further?.emit(reason, subject, message);
    const last = this.#ring.at(-1);
    if (last?.reason === reason && last.message === message) {
      this.#ring[this.#ring.length - 1] = { ...last, atMs: this.#clock.wallMs(), count: last.count + 1 };
      return;
    }
    this.#ring.push({ atMs: this.#clock.wallMs(), reason, type, subject, message, count: 1 });
    if (this.#ring.length > 2 * this.#limit) this.#ring = this.#ring.slice(-this.#limit);
    if (type === "Warning") this.#log.warn({ reason, subject }, message);
    else this.#log.debug({ reason, subject }, message);
  }

  recent(): readonly RecordedEvent[] {
    return this.#ring.slice(-this.#limit);
  }
}
