import type { Clock } from "@terway/model";
import type { KubeClient } from "./client.ts";
import { pathOf, type Resource } from "./resource.ts";

const events: Resource = { apiVersion: "v1", plural: "events", kind: "Event", namespaced: true };

/** What an event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for objects of the cluster, whose events stand in `default`. */
  readonly namespace?: string;
  readonly uid?: string;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Shown by `kubectl describe` as the source. */
  readonly component: string;
  readonly host?: string;
  readonly onTrouble?: (error: unknown) => void;
}

/** client-go's figures (`tools/record`): 25 at once and one in five minutes for each object; equal events of ten minutes are one with a count. */
const burst = 25;
const refillMs = 300_000;
const similarMs = 600_000;
/** More objects than this at once are a flood: the oldest are forgotten. */
const mostRemembered = 4096;

interface Series {
  readonly namespace: string;
  readonly name: string;
  readonly firstTimestamp: string;
  count: number;
  lastMs: number;
}

/**
 * Writes events in the order in which they happen, one request at a time: equal ones raise the count of the first, and an object that has too much to say is
 * not heard. Never fails its caller: an event that cannot be written is reported and forgotten.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  #tail: Promise<void> = Promise.resolve();
  #number = 0;
  #suppressed = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Events that were not written because their object had said too much. */
  get suppressed(): number {
    return this.#suppressed;
  }

  /** `action`: what was tried when it happened, for machines. */
  record(subject: EventSubject, type: "Normal" | "Warning", reason: string, message: string, action?: string): void {
    const object = [subject.kind, subject.namespace, subject.name, subject.uid].join("/");
    if (!this.#spend(object)) {
      this.#suppressed += 1;
      return;
    }
    this.#tail = this.#tail
      .then(() => this.#write(subject, type, reason, message, action))
      .catch((error: unknown) => this.#options.onTrouble?.(error));
  }

  /** Resolves when everything that was recorded so far is written, or could not be. */
  flush(): Promise<void> {
    return this.#tail;
  }

  #spend(object: string): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const bucket = this.#buckets.get(object) ?? { tokens: burst, atMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) / refillMs);
    bucket.atMs = nowMs;
    remember(this.#buckets, object, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  async #write(subject: EventSubject, type: string, reason: string, message: string, action: string | undefined): Promise<void> {
    const { client, clock, component, host } = this.#options;
    const key = [subject.kind, subject.namespace, subject.name, subject.uid, type, reason, message].join("\n");
    const now = new Date(clock.wallMs()).toISOString().replace(/\.\d+Z$/, "Z");
    const known = this.#series.get(key);
    if (known !== undefined && clock.monotonicMs() - known.lastMs < similarMs) {
      known.count += 1;
      known.lastMs = clock.monotonicMs();
      const patch = { count: known.count, lastTimestamp: now };
      const path = pathOf(events, known.namespace, known.name);
      await client.call({ method: "PATCH", path, contentType: "application/merge-patch+json", body: patch });
      return;
    }
    const namespace = subject.namespace ?? "default";
    this.#number += 1;
    const name = `${subject.name.slice(0, 200)}.${clock.wallMs().toString(16)}${this.#number.toString(16)}`;
    remember(this.#series, key, { namespace, name, firstTimestamp: now, count: 1, lastMs: clock.monotonicMs() });
    await client.call({
      method: "POST",
      path: pathOf(events, namespace),
      body: {
        apiVersion: "v1",
        kind: "Event",
        metadata: { namespace, name },
        involvedObject: subject,
        type,
        reason,
        ...(action === undefined ? {} : { action }),
        // The API server refuses more.
        message: message.slice(0, 1024),
        count: 1,
        firstTimestamp: now,
        lastTimestamp: now,
        source: { component, ...(host === undefined ? {} : { host }) },
        reportingComponent: component,
        reportingInstance: host ?? component,
      },
    });
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > mostRemembered) {
    const [oldest] = map.keys();
    if (oldest !== undefined) map.delete(oldest);
  }
}
