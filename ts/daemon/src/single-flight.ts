/**
 * Order of calls for one (container id, interface): the same call joins the one under way and shares its outcome, another one waits
 * until it has ended. Calls of different keys know nothing of each other.
 */
export class SingleFlight {
  readonly #last = new Map<string, { readonly token: string; readonly outcome: Promise<unknown> }>();

  /** `token` says what makes two calls the same, for example verb and namespace path. */
  run<T>(key: string, token: string, task: () => Promise<T>): Promise<T> {
    const last = this.#last.get(key);
    // The token names verb and arguments, and each verb has one outcome type.
    if (last?.token === token) return last.outcome as Promise<T>;
    const outcome = last === undefined ? task() : last.outcome.then(task, task);
    const entry = { token, outcome };
    this.#last.set(key, entry);
    const clear = () => {
      if (this.#last.get(key) === entry) this.#last.delete(key);
    };
    outcome.then(clear, clear);
    return outcome;
  }

  busy(key: string): boolean {
    return this.#last.has(key);
  }

  get size(): number {
    return this.#last.size;
  }

  /** Resolves when no call is under way; calls that arrive meanwhile are waited for, too. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.allSettled([...this.#last.values()].map((entry) => entry.outcome));
  }
}
