import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type ProcessRecord, startDetached } from "./process.ts";

/** Every process of a lab carries its run id in this variable, so that it is found when nothing else is known of it. */
export const labIdVariable = "TERWAY_LAB_ID";

/** Run ids become parts of file, namespace and cgroup names. No hyphen: no id's names may look like the start of another's. */
export const labIdSchema = z.string().regex(/^[a-z0-9]{1,16}$/, "1 to 16 lower-case letters and digits");

const recordSchema = z.object({
  id: labIdSchema,
  /** `building`: its owner works on it; `kept`: left running on purpose. */
  state: z.enum(["building", "kept"]),
  /** Tells a reboot: process numbers of another boot mean nothing. */
  bootId: z.string(),
  owner: z.object({ pid: z.number(), startTime: z.string() }),
});
export type LabRecord = z.infer<typeof recordSchema>;

function labsRoot(): string {
  return process.env.TERWAY_LAB_STATE ?? "/var/lib/terway-lab";
}

/** The files of one lab. Not below /run and not below /tmp: a node has its own of both. */
export class LabDirectory {
  readonly id: string;
  readonly path: string;

  constructor(id: string) {
    this.id = labIdSchema.parse(id);
    this.path = join(labsRoot(), id);
  }

  get controlSocket(): string {
    return join(this.path, "control.sock");
  }

  /** Log file of one of the lab's processes. */
  log(name: string): string {
    return join(this.path, "log", `${name}.log`);
  }

  /** The node's own files. */
  node(name: string): string {
    return join(this.path, "nodes", name);
  }

  async create(owner: ProcessRecord): Promise<void> {
    await mkdir(join(this.path, "log"), { recursive: true });
    await mkdir(join(this.path, "bin"), { recursive: true });
    await this.write({ id: this.id, state: "building", bootId: await bootId(), owner });
  }

  /** Undefined when there is none, or when it was cut off while it was first written. */
  async read(): Promise<LabRecord | undefined> {
    const text = await readFile(join(this.path, "lab.json"), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    const parsed = recordSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  }

  async write(record: LabRecord): Promise<void> {
    const file = join(this.path, "lab.json");
    await writeFile(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
    await rename(`${file}.new`, file);
  }

  /** From now on the lab is meant to stay, also when this process ends. */
  async keep(): Promise<void> {
    const record = await this.read();
    if (record !== undefined) await this.write({ ...record, state: "kept" });
  }

  /** Starts a process of this lab that outlives us; its output goes to `log/<name>.log`. */
  start(name: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProcessRecord> {
    return startDetached(argv, { log: this.log(name), env: { ...env, [labIdVariable]: this.id } });
  }
}

export async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}
