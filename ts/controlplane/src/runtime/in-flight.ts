/**
 * Slow work beside the workers of a controller: one piece for each key at a time. A reconcile starts it and goes; when it has ended the key is looked at
 * again, and a failure is thrown there, so that it counts for the key's pauses.
 */
export class InFlight {
  readonly #running = new Set<string>();
  readonly #failed = new Map<string, unknown>();
  readonly #stop = new AbortController();

  /** How much runs. */
  get size(): number {
    return this.#running.size;
  }

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  /** Starts the work unless it runs; throws what the last one for this key failed with. `again` is told when it has ended. */
  start(key: string, work: (signal: AbortSignal) => Promise<unknown>, again: (key: string) => void): void {
    if (this.#running.has(key) || this.#stop.signal.aborted) return;
    if (this.#failed.has(key)) {
      const error = this.#failed.get(key);
      this.#failed.delete(key);
      throw error;
    }
    this.#running.add(key);
    work(this.#stop.signal)
      .catch((error: unknown) => this.#failed.set(key, error))
      .finally(() => {
        this.#running.delete(key);
        again(key);
      });
  }

  /** What failed is of no interest any more. */
  forget(key: string): void {
    this.#failed.delete(key);
  }

  /** Calls that are under way are let go; whatever they did is found by its intent. */
  stop(): void {
    this.#stop.abort(new Error("the controller was stopped"));
  }
}
