import { unmentioned } from "@terway/model";
import type { Identity } from "../compiled-pod.ts";
import { contentNumber } from "./content-number.ts";
import type { Universe } from "./universe.ts";

/** Remotes of whom the rules in force see the same. */
export interface RemoteClass {
  readonly number: string;
  /** Tokens and keys of blocks, sorted. */
  readonly visible: readonly string[];
}

/** Numbers the classes. */
export class Classes {
  readonly #universe: Universe;
  readonly #ofPods = new Map<Identity | undefined, Map<readonly string[], RemoteClass>>();

  constructor(universe: Universe) {
    this.#universe = universe;
  }

  /** The class of a pod, or of who is none, in these address blocks: an array of the tree's, found again by being the same one. */
  of(identity: Identity | undefined, blocks: readonly string[]): RemoteClass {
    let ofPod = this.#ofPods.get(identity);
    if (ofPod === undefined) {
      ofPod = new Map();
      this.#ofPods.set(identity, ofPod);
    }
    let found = ofPod.get(blocks);
    if (found === undefined) {
      found = remoteClass([...this.#universe.visible(identity?.tokens ?? []), ...blocks]);
      ofPod.set(blocks, found);
    }
    return found;
  }
}

/** The class of those of whom exactly this is visible. */
export function remoteClass(seen: readonly string[]): RemoteClass {
  const visible = seen.toSorted();
  return { number: visible.length === 0 ? unmentioned : contentNumber(visible.join("\n")), visible };
}
