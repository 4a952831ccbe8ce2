import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type Clock,
  type NodeObject,
  namespaceObjectSchema,
  nodeObjectSchema,
  type PodEni,
  type PodObject,
  parseJsonText,
  podEniSchema,
  podObjectSchema,
} from "@terway/model";
import { z } from "zod";
import type { Logger } from "./log.ts";
import type { PodIdentity, PodSource } from "./pods.ts";

const periodMs = 1_000;
const listSchema = z.object({ items: z.array(z.unknown()) });
const objectSchemas = { Pod: podObjectSchema, Node: nodeObjectSchema, Namespace: namespaceObjectSchema, PodENI: podEniSchema } as const;
type KnownObject = z.infer<(typeof objectSchemas)[keyof typeof objectSchemas]>;

interface ReadFile {
  readonly changed: string;
  readonly objects: readonly KnownObject[];
}

/**
 * Kubernetes objects from a directory of JSON files, one object or one List in each, as the API writes them. The directory is looked at again before
 * every answer, so a file that was there before the CNI call counts, and every second besides. Stands where no API server is.
 */
export class ObjectDirectory implements PodSource {
  readonly #directory: string;
  readonly #nodeName: string;
  readonly #log: Logger;
  #files = new Map<string, ReadFile>();
  #objects = new Map<string, KnownObject>();
  #reading: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(directory: string, nodeName: string, log: Logger) {
    this.#directory = directory;
    this.#nodeName = nodeName;
    this.#log = log;
  }

  async pod({ namespace, name, uid }: PodIdentity): Promise<PodObject | undefined> {
    await this.refresh();
    const found = this.#objects.get(`Pod ${namespace}/${name}`);
    if (found?.kind !== "Pod") return undefined;
    // A pod of the same name that lived before, or lives after this sandbox, is another one.
    const other = uid !== undefined && found.metadata.uid !== undefined && found.metadata.uid !== uid;
    return other ? undefined : found;
  }

  async podEni({ namespace, name }: PodIdentity): Promise<PodEni | undefined> {
    await this.refresh();
    const found = this.#objects.get(`PodENI ${namespace}/${name}`);
    return found?.kind === "PodENI" ? found : undefined;
  }

  async nodeLabels(): Promise<Readonly<Record<string, string>>> {
    await this.refresh();
    const found: KnownObject | undefined = this.#objects.get(`Node ${this.#nodeName}`);
    // The map's keys hold the kind; the type does not know.
    return found === undefined ? {} : (found as NodeObject).metadata.labels;
  }

  /** Reads what has changed. A reading under way may have begun before the caller's file was there; the next one has not, and all share it. */
  refresh(): Promise<void> {
    this.#next ??= this.#reading.then(() => {
      this.#next = undefined;
      this.#reading = this.#read();
      return this.#reading;
    });
    return this.#next;
  }

  async watch(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.refresh();
      try {
        await clock.sleep(periodMs, signal);
      } catch {
        return;
      }
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
        files.set(name, known?.changed === changed ? known : { changed, objects: this.#parse(path, await readFile(path, "utf8")) });
      } catch (error) {
        // Removed between listing and reading.
        this.#log.debug({ err: error, path }, "object not read");
      }
    }
    this.#files = files;
    this.#objects = new Map([...files.values()].flatMap(({ objects }) => objects.map((one) => [keyOf(one), one] as const)));
  }

  #parse(path: string, text: string): KnownObject[] {
    const json = parseJsonText(text);
    if (!json.ok) {
      this.#log.warn(`${path}: line ${json.line}, column ${json.column}: ${json.message}.`);
      return [];
    }
    const list = listSchema.safeParse(json.value);
    return (list.success ? list.data.items : [json.value]).flatMap((value): KnownObject[] => {
      const kind = z.object({ kind: z.enum(["Pod", "Node", "Namespace", "PodENI"]) }).safeParse(value);
      // Kinds that nobody here reads.
      if (!kind.success) return [];
      const parsed = objectSchemas[kind.data.kind].safeParse(value);
      if (parsed.success) return [parsed.data];
      const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
      this.#log.warn(`${path}: ${kind.data.kind}: ${problems.join("; ")}`);
      return [];
    });
  }
}

function keyOf(object: KnownObject): string {
  const namespace = "namespace" in object.metadata ? `${object.metadata.namespace}/` : "";
  return `${object.kind} ${namespace}${object.metadata.name}`;
}
