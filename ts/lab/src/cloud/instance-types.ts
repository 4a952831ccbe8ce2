import { readFileSync } from "node:fs";
import { z } from "zod";

/** One row of the catalogue. Source: recorded DescribeInstanceTypes answers and the instance family pages of the ECS documentation. */
const instanceTypeSchema = z.strictObject({
  /** ENIs that can be attached, the primary one included. */
  enis: z.number().int(),
  /** The same with trunk members. */
  total: z.number().int(),
  /** IPv4 addresses per ENI, the primary one included. */
  ipv4: z.number().int(),
  ipv6: z.number().int(),
  trunk: z.boolean(),
  erdma: z.number().int(),
  /** Queues of the primary ENI, of a secondary one, and together. */
  queues: z.strictObject({ primary: z.number().int(), secondary: z.number().int(), total: z.number().int() }).optional(),
  cpus: z.number().int().optional(),
  memoryGib: z.number().optional(),
});
export type InstanceType = z.infer<typeof instanceTypeSchema>;

const file = z.record(z.string(), instanceTypeSchema);

/** The checked-in catalogue, by instance type. */
export const instanceTypes: ReadonlyMap<string, InstanceType> = new Map(
  Object.entries(file.parse(JSON.parse(readFileSync(new URL("instance-types.json", import.meta.url), "utf8")))),
);

/** Limits of a type; an instance of an unknown type cannot be created, so inside the core this always finds one. */
export function limitsOf(type: string): InstanceType {
  const limits = instanceTypes.get(type);
  if (limits === undefined) throw new Error(`instance type ${type} is not in the catalogue`);
  return limits;
}
