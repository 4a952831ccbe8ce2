/** Beyond so many different ones nothing repeats enough to be worth remembering. */
const limit = 20_000;

/**
 * Keeps one copy of what many objects have alike: pods of one deployment have the same labels and ports, and fifty thousand copies of them were most of
 * what a node knew of its cluster. What it answers must not be changed.
 */
export class SharedParts {
  readonly #known = new Map<string, unknown>();

  one<T>(value: T): T {
    const key = JSON.stringify(value);
    // The same text is the same value of the same type, wherever it is asked for.
    const known = this.#known.get(key) as T | undefined;
    if (known !== undefined) return known;
    if (this.#known.size >= limit) this.#known.clear();
    this.#known.set(key, value);
    return value;
  }
}
