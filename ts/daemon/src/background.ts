import { untilAborted } from "./until-aborted.ts";

/** Work beside the calls. One that fails ends the daemon: a daemon that lacks a part of itself is worse than one that is started again. */
export class Background {
  /** Resolves when the daemon shall stop; rejects with what failed. */
  readonly ended: Promise<void>;
  readonly #own = new AbortController();
  readonly #signal: AbortSignal;
  readonly #failed = Promise.withResolvers<never>();

  constructor(stop: AbortSignal) {
    this.#signal = AbortSignal.any([stop, this.#own.signal]);
    this.ended = Promise.race([untilAborted(stop), this.#failed.promise]);
    // Looked at only once the start is over.
    this.ended.catch(() => {});
  }

  run(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    work(this.#signal).catch((error: unknown) => {
      if (this.#signal.aborted) return;
      // Errors with a name of their own are meant for whoever started the daemon.
      const known = error instanceof Error && error.name !== "Error";
      this.#failed.reject(
        known ? error : new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error }),
      );
    });
  }

  stop(): void {
    this.#own.abort();
  }
}
