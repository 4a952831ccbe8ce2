import { inspect } from "node:util";

/** A text that must not be seen: prints, logs and marshals as `******`. Only {@link Secret.reveal} gives it out. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for the one place that signs with it. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return "******";
  }

  toJSON(): string {
    return "******";
  }

  [inspect.custom](): string {
    return "******";
  }
}
