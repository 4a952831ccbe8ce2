import { bootId, LabDirectory } from "../host/lab-directory.ts";
import { findLeftovers } from "../host/leftovers.ts";
import { isAlive } from "../host/process.ts";

/** What is found under a run id before it is used. */
export type Occupancy =
  | { readonly state: "free" }
  /** A crash, a kill or a reboot left things behind. */
  | { readonly state: "remains" }
  /** Left running on purpose. */
  | { readonly state: "kept" }
  | { readonly state: "busy"; readonly pid: number };

export async function occupancy(id: string): Promise<Occupancy> {
  const record = await new LabDirectory(id).read();
  if (record !== undefined && record.bootId === (await bootId())) {
    if (record.state === "kept") return { state: "kept" };
    if (await isAlive(record.owner)) return { state: "busy", pid: record.owner.pid };
  }
  return { state: (await findLeftovers(id)).length === 0 ? "free" : "remains" };
}
