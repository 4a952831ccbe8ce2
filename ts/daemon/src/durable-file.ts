import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";

/** A small JSON file of the state directory, replaced as a whole. What cannot be read counts as absent. */
export class DurableFile<T> {
  readonly #path: string;
  readonly #schema: z.ZodType<T>;

  constructor(stateDir: string, name: string, schema: z.ZodType<T>) {
    this.#path = join(stateDir, name);
    this.#schema = schema;
  }

  async read(): Promise<T | undefined> {
    try {
      return this.#schema.parse(JSON.parse(await readFile(this.#path, "utf8")));
    } catch {
      return undefined;
    }
  }

  async write(value: T): Promise<void> {
    await writeFile(`${this.#path}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flush: true });
    await rename(`${this.#path}.new`, this.#path);
  }
}
