import { clientTokenTag } from "@terway/cloud";
import type { Eni } from "@terway/model";

/** An ENI of this age may still be on its way into an object of the cluster. */
export const youngMs = 10 * 60_000;

export interface References {
  /** Ids that a PodENI or NetworkInterface names, or a node as its trunk. */
  readonly ids: ReadonlySet<string>;
  /** Client tokens that an intent names. */
  readonly tokens: ReadonlySet<string>;
}

/** ENIs of ours that nothing in the cluster refers to: free ones, trunks too, and members that nobody uses. Pure. */
export function leakedEnis(enis: readonly Eni[], { ids, tokens }: References, nowMs: number): Eni[] {
  return enis.filter((eni) => {
    const free = eni.type === "Secondary" || eni.type === "Trunk";
    const idle = (free && eni.status === "Available") || (eni.type === "Member" && eni.status === "InUse");
    const old = eni.createdAtMs !== undefined && nowMs - eni.createdAtMs >= youngMs;
    return idle && old && !ids.has(eni.id) && !tokens.has(eni.tags[clientTokenTag] ?? "");
  });
}

/** What was seen in this round and in the one before. One look may be wrong: a watch may be behind, an answer of the cloud may be old. */
export class Observations {
  #before: ReadonlySet<string> = new Set();

  /** Those that were here last time as well. */
  confirm(keys: readonly string[]): string[] {
    const confirmed = keys.filter((key) => this.#before.has(key));
    this.#before = new Set(keys);
    return confirmed;
  }

  /** A round that could not look around says nothing, and what was seen before is no proof any more. */
  forget(): void {
    this.#before = new Set();
  }
}
