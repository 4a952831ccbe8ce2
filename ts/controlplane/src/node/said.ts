/** A hindrance that stays is told again, so that people who come later see it. */
const againMs = 10 * 60_000;

/** What was said of each node last: the same hindrance at every look is one line in ten minutes. */
export class Said {
  readonly #last = new Map<string, { readonly message: string; readonly atMs: number }>();

  /** Whether it is worth a line now. */
  isNew(node: string, message: string, nowMs: number): boolean {
    const last = this.#last.get(node);
    if (last?.message === message && nowMs - last.atMs < againMs) return false;
    this.#last.set(node, { message, atMs: nowMs });
    return true;
  }

  /** The node is gone. */
  forget(node: string): void {
    this.#last.delete(node);
  }
}
