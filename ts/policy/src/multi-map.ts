/** Values by key. Most keys of a large cluster have one value only, and a hundred thousand sets of one cost more than all the rest. */
export class MultiMap<K, V extends object> {
  readonly #entries = new Map<K, V | Set<V>>();

  add(key: K, value: V): void {
    const present = this.#entries.get(key);
    if (present === undefined) this.#entries.set(key, value);
    else if (present instanceof Set) present.add(value);
    else if (present !== value) this.#entries.set(key, new Set([present, value]));
  }

  delete(key: K, value: V): void {
    const present = this.#entries.get(key);
    if (present === value) this.#entries.delete(key);
    else if (present instanceof Set && present.delete(value) && present.size === 0) this.#entries.delete(key);
  }

  get(key: K): Iterable<V> {
    const present = this.#entries.get(key);
    if (present === undefined) return [];
    return present instanceof Set ? present : [present];
  }
}
