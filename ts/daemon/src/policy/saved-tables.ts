import type { TableContents } from "@terway/policy";
import { z } from "zod";
import { DurableFile } from "../durable-file.ts";

const port = z.union([
  z.object({ protocol: z.enum(["TCP", "UDP", "SCTP"]), from: z.number(), to: z.number() }),
  z.object({ protocol: z.enum(["TCP", "UDP", "SCTP"]), name: z.string() }),
]);
const peer = z.union([
  z.object({ pods: z.string() }),
  z.object({ block: z.object({ key: z.string(), cidr: z.string(), except: z.array(z.string()) }) }),
]);
const entry = z.object({ text: z.string(), rule: z.number(), peer: peer.exactOptional(), port: port.exactOptional() });
const schema: z.ZodType<TableContents> = z.object({
  sets: z.array(z.object({ number: z.string(), entries: z.array(entry) })),
  classes: z.array(z.object({ number: z.string(), visible: z.array(z.string()) })),
});

/**
 * What the numbers in the kernel's tables stand for, kept for the next process: with it a restart changes no verdict, not even of policies that changed
 * meanwhile. Without it only those are judged by new rules a moment early.
 */
export function savedTables(stateDir: string): DurableFile<TableContents> {
  return new DurableFile(stateDir, "policy-tables.json", schema);
}
