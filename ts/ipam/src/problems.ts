import type { Clock, CloudError, PoolEvent, PoolProblem } from "@terway/model";
import { cloudErrorEntry, cloudErrorName } from "@terway/model";

/** What stands in the way now, one entry for each thing that was refused; the same keys as the back-offs. */
export class Problems {
  private readonly entries = new Map<string, PoolProblem>();
  private readonly clock: Clock;
  private readonly emit: (event: PoolEvent) => void;

  constructor(clock: Clock, emit: (event: PoolEvent) => void) {
    this.clock = clock;
    this.emit = emit;
  }

  /** An event only when it is new or another one than before: a refusal repeated every minute is one problem. */
  set(key: string, problem: Omit<PoolProblem, "sinceMs">): PoolProblem {
    const before = this.entries.get(key);
    const same = before?.code === problem.code && before.resource === problem.resource;
    const entry: PoolProblem = { ...problem, sinceMs: same ? before.sinceMs : this.clock.wallMs() };
    // The latest refusal stands last, see `latest`.
    this.entries.delete(key);
    this.entries.set(key, entry);
    if (!same) this.emit({ type: "problem", problem: entry });
    return entry;
  }

  /** It works again. */
  clear(key: string): void {
    const before = this.entries.get(key);
    if (!before) return;
    this.entries.delete(key);
    this.emit({ type: "recovered", code: before.code });
  }

  get(key: string): PoolProblem | undefined {
    return this.entries.get(key);
  }

  keys(): string[] {
    return [...this.entries.keys()];
  }

  all(): PoolProblem[] {
    return [...this.entries.values()];
  }

  /** The last one that was met: the reason of what failed just now. */
  latest(): PoolProblem | undefined {
    return this.all().at(-1);
  }
}

/** What the refused call was about, as far as only the pool knows it. */
export interface Subject {
  /** Of the ENI that was to grow, or to be created. */
  readonly vSwitchId?: string | undefined;
  readonly eniId?: string | undefined;
}

/**
 * The refusal for people. The cloud port's message is a complete sentence already (code, the documents' name for it, resource, next step); where it
 * is about a vSwitch and the call named only the ENI, the sentence is made again with the vSwitch, which is what a person has to change.
 */
export function problemOf(error: CloudError, { vSwitchId, eniId }: Subject): Omit<PoolProblem, "sinceMs"> {
  const entry = cloudErrorEntry(error.code);
  const { class: errorClass, code } = error;
  if (entry?.about === "vSwitch" && vSwitchId !== undefined) {
    const request = error.requestId === undefined ? "" : `, request ${error.requestId}`;
    const what = entry.what.replace("{resource}", vSwitchId);
    return {
      class: errorClass,
      code,
      message: `${error.action}: ${what} [${cloudErrorName(code)}${request}]. ${entry.next}`,
      resource: vSwitchId,
    };
  }
  const resource = error.resource ?? eniId ?? vSwitchId;
  return { class: errorClass, code, message: error.message, ...(resource !== undefined && { resource }) };
}
