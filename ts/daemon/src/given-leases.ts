import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Lease, leaseSchema } from "@terway/model";
import { z } from "zod";

const givenSchema = z.object({
  version: z.literal(1),
  /** Id of the interface that the runtime asked for and will ask to remove; the pod's further ones go with it. */
  owner: z.string(),
  lease: leaseSchema,
});

interface Given {
  readonly owner: string;
  readonly lease: Lease;
}

/**
 * Leases of addresses that the control plane gave to one pod (PodENI), beside the pool's journal: one small file each, durable before the kernel is
 * touched. They are few, and nobody but their pod ever gets their addresses, so they need neither group commit nor rest.
 */
export class GivenLeases {
  readonly #directory: string;
  readonly #given = new Map<string, Given>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Files that cannot be read are named and left where they are. */
  static async open(directory: string): Promise<{ given: GivenLeases; problems: readonly string[] }> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const given = new GivenLeases(directory);
    const problems: string[] = [];
    for (const name of (await readdir(directory)).filter((one) => one.endsWith(".json"))) {
      try {
        const { owner, lease } = givenSchema.parse(JSON.parse(await readFile(join(directory, name), "utf8")));
        given.#given.set(lease.id, { owner, lease });
      } catch (error) {
        problems.push(
          `${join(directory, name)} cannot be read and is left alone: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
    return { given, problems };
  }

  leases(): Lease[] {
    return [...this.#given.values()].map(({ lease }) => lease);
  }

  lease(id: string): Lease | undefined {
    return this.#given.get(id)?.lease;
  }

  /** The interface that stands for this one towards the runtime. */
  owner(id: string): string | undefined {
    return this.#given.get(id)?.owner;
  }

  /** Durable when it resolves. */
  async put(owner: string, lease: Lease): Promise<void> {
    const path = this.#path(lease.id);
    const file = await open(`${path}.new`, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify({ version: 1, owner, lease }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await this.#syncDirectory();
    this.#given.set(lease.id, { owner, lease });
  }

  async mark(id: string, state: Lease["state"]): Promise<Lease | undefined> {
    const found = this.#given.get(id);
    if (found === undefined) return undefined;
    const lease = { ...found.lease, state };
    if (found.lease.state !== state) await this.put(found.owner, lease);
    return lease;
  }

  async remove(id: string): Promise<void> {
    this.#given.delete(id);
    await rm(this.#path(id), { force: true });
    await this.#syncDirectory();
  }

  #path(id: string): string {
    return join(this.#directory, `${id.replaceAll("/", "_")}.json`);
  }

  async #syncDirectory(): Promise<void> {
    const folder = await open(this.#directory, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
