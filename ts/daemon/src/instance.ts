import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type InstanceIdentity, type InstanceLimits, instanceIdentitySchema } from "@terway/model";
import { z } from "zod";

/** What this instance is and may have; never changes while it runs. */
export interface InstanceFacts {
  readonly identity: InstanceIdentity;
  /** Absent until the cloud has told them once. */
  readonly limits?: InstanceLimits;
  readonly primarySecurityGroupIds?: readonly string[];
}

const factsSchema = z.object({
  version: z.literal(1),
  identity: instanceIdentitySchema,
  limits: z
    .object({
      instanceType: z.string(),
      adapters: z.number(),
      totalAdapters: z.number(),
      ipv4PerAdapter: z.number(),
      ipv6PerAdapter: z.number(),
      trunkSupported: z.boolean(),
      erdmaAdapters: z.number(),
    })
    .optional(),
  primarySecurityGroupIds: z.array(z.string()).optional(),
});

const pathOf = (stateDir: string) => join(stateDir, "instance.json");

/** What was last known, for a start while metadata or cloud are away. Undefined when there is none, or none that can be read. */
export async function readFacts(stateDir: string): Promise<InstanceFacts | undefined> {
  try {
    const { identity, limits, primarySecurityGroupIds } = factsSchema.parse(JSON.parse(await readFile(pathOf(stateDir), "utf8")));
    return {
      identity,
      ...(limits === undefined ? {} : { limits }),
      ...(primarySecurityGroupIds === undefined ? {} : { primarySecurityGroupIds }),
    };
  } catch {
    return undefined;
  }
}

export async function writeFacts(stateDir: string, facts: InstanceFacts): Promise<void> {
  const path = pathOf(stateDir);
  await writeFile(`${path}.new`, `${JSON.stringify({ version: 1, ...facts }, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
