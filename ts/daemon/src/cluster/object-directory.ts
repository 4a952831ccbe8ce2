import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Indexer, type Keeper, keyOf, Store, type Stored } from "@terway/kube";
import { type Clock, parseJsonText } from "@terway/model";
import { z } from "zod";
import type { Logger } from "../log.ts";
import { untilAborted } from "../until-aborted.ts";
import type { Cluster, Followed, Kind, Scope, Watched } from "./cluster.ts";
import { describeUnreadable } from "./kinds.ts";

const periodMs = 1_000;
const listSchema = z.object({ items: z.array(z.unknown()) });
const objectSchema = z.looseObject({ apiVersion: z.string(), kind: z.string(), metadata: z.looseObject({}) });
type FileObject = z.infer<typeof objectSchema>;

interface ReadFile {
  readonly changed: string;
  readonly path: string;
  readonly objects: readonly FileObject[];
}

/** Takes over what the files hold now; `changed`: something is different from the last time. */
type Follower = (files: Iterable<ReadFile>) => void;

/**
 * Kubernetes objects from a directory of JSON files, one object or one List in each, as the API writes them. The directory is looked at again before
 * every answer, so a file that was there before the CNI call counts, and every second besides. Stands where no API server is.
 */
export class ObjectDirectory implements Cluster {
  readonly complete = false;
  readonly #directory: string;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #followers = new Set<Follower>();
  #files = new Map<string, ReadFile>();
  #version = 0;
  #reading: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(directory: string, log: Logger, clock: Clock) {
    this.#directory = directory;
    this.#log = log;
    void this.#look(clock);
  }

  watch<T extends Stored>(kind: Kind<T>, scope: Scope = {}, indexers: Readonly<Record<string, Indexer<T>>> = {}): Watched<T> {
    const store = new Store<T>(indexers);
    return { objects: store, ...this.follow(kind, scope, store) };
  }

  follow<T extends Stored>(kind: Kind<T>, scope: Scope, store: Keeper<T>): Followed {
    const follow: Follower = (files) => {
      const keys = new Set<string>();
      for (const { path, objects } of files) {
        for (const object of objects) {
          const kept = isOf(kind, object) && isIn(scope, object) ? this.#prune(kind, object, path) : undefined;
          if (kept === undefined) continue;
          keys.add(keyOf(kept));
          store.set(kept);
        }
      }
      store.keepOnly(keys);
    };
    this.#followers.add(follow);
    const synced = this.fresh().then(() => follow(this.#files.values()));
    return {
      synced,
      stop: async () => {
        this.#followers.delete(follow);
      },
    };
  }

  async read<T extends Stored>(kind: Kind<T>, namespace: string | undefined, name: string): Promise<T | undefined> {
    await this.fresh();
    const scope = { ...(namespace === undefined ? {} : { namespace }), fields: { "metadata.name": name } };
    for (const { path, objects } of this.#files.values()) {
      const found = objects.find((object) => isOf(kind, object) && isIn(scope, object));
      if (found !== undefined) return this.#prune(kind, found, path);
    }
    return undefined;
  }

  /** Reads what has changed. A reading under way may have begun before the caller's file was there; the next one has not, and all share it. */
  fresh(): Promise<void> {
    this.#next ??= this.#reading.then(() => {
      this.#next = undefined;
      this.#reading = this.#read();
      return this.#reading;
    });
    return this.#next;
  }

  async close(): Promise<void> {
    this.#stop.abort();
  }

  async #look(clock: Clock): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await Promise.race([clock.sleep(periodMs, signal).catch(() => {}), untilAborted(signal)]);
      if (!signal.aborted) await this.fresh();
    }
  }

  async #read(): Promise<void> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      this.#log.warn({ err: error }, "the directory of objects cannot be read");
      return [];
    });
    const files = new Map<string, ReadFile>();
    for (const name of names.filter((one) => one.endsWith(".json")).sort()) {
      const path = join(this.#directory, name);
      try {
        const { mtimeNs, size, ino } = await stat(path, { bigint: true });
        const changed = `${mtimeNs} ${size} ${ino}`;
        const known = this.#files.get(name);
        files.set(name, known?.changed === changed ? known : { changed, path, objects: this.#parse(path, await readFile(path, "utf8")) });
      } catch (error) {
        // Removed between listing and reading.
        this.#log.debug({ err: error, path }, "object not read");
      }
    }
    const same = files.size === this.#files.size && [...files].every(([name, file]) => this.#files.get(name) === file);
    this.#files = files;
    if (!same) for (const follow of this.#followers) follow(files.values());
  }

  #parse(path: string, text: string): FileObject[] {
    const json = parseJsonText(text);
    if (!json.ok) {
      this.#log.warn(`${path}: line ${json.line}, column ${json.column}: ${json.message}.`);
      return [];
    }
    this.#version += 1;
    const list = listSchema.safeParse(json.value);
    return (list.success ? list.data.items : [json.value]).flatMap((value) => {
      const { data } = objectSchema.safeParse(value);
      // A file is edited without regard to the version that stands in it.
      return data === undefined ? [] : [{ ...data, metadata: { ...data.metadata, resourceVersion: String(this.#version) } }];
    });
  }

  #prune<T extends Stored>(kind: Kind<T>, object: FileObject, path: string): T | undefined {
    try {
      return kind.prune(object);
    } catch (error) {
      this.#log.warn(`${path}: ${object.kind}: ${describeUnreadable(error)}`);
      return undefined;
    }
  }
}

function isOf({ resource }: Kind<Stored>, object: FileObject): boolean {
  return object.kind === resource.kind && object.apiVersion === resource.apiVersion;
}

/** Fields and labels that an object does not have exclude nothing: people write into a file what matters to them. */
function isIn({ namespace, fields = {}, labels = {} }: Scope, object: FileObject): boolean {
  const at = (path: readonly string[]) => path.reduce<unknown>((value, step) => (isRecord(value) ? value[step] : undefined), object);
  const fits = (path: readonly string[], wanted: string) => {
    const value = at(path);
    return value === undefined || value === wanted;
  };
  return (
    (namespace === undefined || at(["metadata", "namespace"]) === namespace) &&
    Object.entries(fields).every(([field, wanted]) => fits(field.split("."), wanted)) &&
    Object.entries(labels).every(([label, wanted]) => fits(["metadata", "labels", label], wanted))
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
