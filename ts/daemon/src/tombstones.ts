import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type Tombstone, tombstoneSchema } from "@terway/model";
import type { Node } from "./node.ts";
import { release } from "./release.ts";

/** DELs that met no daemon. The executable writes, syncs and renames one file each; here they are carried out and unlinked. */
export class Tombstones {
  readonly #node: Node;
  readonly #directory: string;
  #watcher: FSWatcher | undefined;
  #scan: Promise<void> | undefined;
  #again = false;

  constructor(node: Node, directory: string) {
    this.#node = node;
    this.#directory = directory;
  }

  /** Resolves when all that lay there is carried out; what comes later is found by the watch. */
  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    this.#watcher = watch(this.#directory, () => {
      this.#trigger().catch((error: unknown) => this.#node.log.error({ err: error }, "tombstones cannot be read"));
    });
    this.#watcher.on("error", (error) => this.#node.log.error({ err: error }, "the watch over tombstones ended"));
    await this.#trigger();
  }

  async stop(): Promise<void> {
    this.#watcher?.close();
    await this.#scan?.catch(() => {});
  }

  /** One scan at a time; what is reported while one runs makes another. */
  #trigger(): Promise<void> {
    if (this.#scan !== undefined) {
      this.#again = true;
      return this.#scan;
    }
    this.#scan = this.#run().finally(() => {
      this.#scan = undefined;
    });
    return this.#scan;
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      const names = (await readdir(this.#directory)).filter((name) => name.endsWith(".json"));
      await Promise.all(names.map((name) => this.#carryOut(join(this.#directory, name))));
    } while (this.#again);
  }

  async #carryOut(path: string): Promise<void> {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text === undefined) return;
    const tombstone = parse(text);
    if (tombstone === undefined) {
      this.#node.log.warn({ path }, "unreadable tombstone is set aside; GC releases what it meant");
      await rename(path, `${path}.unreadable`);
      return;
    }
    const id = `${tombstone.containerId}/${tombstone.ifName}`;
    try {
      const released = await this.#node.flight.run(id, "DEL", async () => {
        const lease = this.#node.pool.lease(id);
        // cnitool names containers after their namespace, so an id can come again: an ADD after the DEL wins.
        if (lease !== undefined && lease.state !== "releasing" && lease.allocatedAtMs > tombstone.writtenAtMs) return undefined;
        return release(this.#node, id, { ifName: tombstone.ifName, ...(tombstone.netns ? { netns: tombstone.netns } : {}) });
      });
      this.#node.failpoint("tombstone.released");
      await unlink(path);
      this.#node.metrics.tombstone();
      this.#node.log.info({ verb: "DEL", id, tombstone: true, known: released?.lease !== undefined }, "detached");
    } catch (error) {
      this.#node.log.warn({ id, err: error }, "tombstone stays for the next start");
    }
  }
}

function parse(text: string): Tombstone | undefined {
  try {
    return tombstoneSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
