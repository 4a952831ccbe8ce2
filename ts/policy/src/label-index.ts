import { type LabelMatcher, type Labels, labelPair } from "./label-selector.ts";
import { MultiMap } from "./multi-map.ts";

/** Finds the selectors that a set of labels may match, without asking those that want a label it lacks. */
export class SelectorIndex<T extends object> {
  readonly #byPair = new MultiMap<string, T>();
  readonly #others = new Set<T>();
  readonly #matcherOf: (item: T) => LabelMatcher;

  constructor(matcherOf: (item: T) => LabelMatcher) {
    this.#matcherOf = matcherOf;
  }

  add(item: T): void {
    const pair = this.#matcherOf(item).indexedBy;
    if (pair === undefined) this.#others.add(item);
    else this.#byPair.add(pair, item);
  }

  delete(item: T): void {
    const pair = this.#matcherOf(item).indexedBy;
    if (pair === undefined) this.#others.delete(item);
    else this.#byPair.delete(pair, item);
  }

  *matching(labels: Labels): Iterable<T> {
    for (const item of this.#others) if (this.#matcherOf(item).matches(labels)) yield item;
    for (const key in labels) {
      for (const item of this.#byPair.get(labelPair(key, labels[key] ?? ""))) if (this.#matcherOf(item).matches(labels)) yield item;
    }
  }
}

/** Finds what a selector selects: things with labels, by each of their labels. */
export class LabelledIndex<T extends object> {
  readonly #all = new Set<T>();
  readonly #byPair = new MultiMap<string, T>();
  readonly #labelsOf: (item: T) => Labels;

  constructor(labelsOf: (item: T) => Labels) {
    this.#labelsOf = labelsOf;
  }

  /** The item's labels must stay as they are until it is deleted. */
  add(item: T): void {
    this.#all.add(item);
    const labels = this.#labelsOf(item);
    for (const key in labels) this.#byPair.add(labelPair(key, labels[key] ?? ""), item);
  }

  delete(item: T): void {
    this.#all.delete(item);
    const labels = this.#labelsOf(item);
    for (const key in labels) this.#byPair.delete(labelPair(key, labels[key] ?? ""), item);
  }

  *selected(matcher: LabelMatcher): Iterable<T> {
    const candidates = matcher.indexedBy === undefined ? this.#all : this.#byPair.get(matcher.indexedBy);
    for (const item of candidates) if (matcher.matches(this.#labelsOf(item))) yield item;
  }
}
