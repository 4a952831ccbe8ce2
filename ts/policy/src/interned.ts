/** Values that are made once for each key and kept while somebody holds them. */
export class Interned<T> {
  readonly #entries = new Map<string, { readonly value: T; references: number }>();

  acquire(key: string, make: () => T): T {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { value: make(), references: 0 };
      this.#entries.set(key, entry);
    }
    entry.references += 1;
    return entry.value;
  }

  release(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.references -= 1;
    if (entry.references === 0) this.#entries.delete(key);
  }
}
