import { z } from "zod";
import type { TableName } from "../state.ts";
import { adminCommand } from "./command.ts";

const tables: readonly TableName[] = [
  "enis",
  "instances",
  "vSwitches",
  "securityGroups",
  "vpcs",
  "restingVlans",
  "accessKeys",
  "roles",
  "idempotentCalls",
  "throttleWindows",
  "nonces",
  "metadataTokens",
  "faults",
];

/** Tears everything down: every ENI is unplugged, nothing is left but the settings. Answers how many ENIs went. */
export const reset = adminCommand({
  name: "reset",
  about: "tears everything down but the settings",
  recorded: true,
  schema: z.strictObject({}),
  run(tx): { readonly enis: number } {
    const enis = tx.state.enis.size;
    for (const eni of tx.state.enis.values()) if (eni.instanceId !== undefined) tx.effect({ type: "unplug", eniId: eni.id });
    for (const id of tx.state.table("securityGroups").keys()) tx.effect({ type: "remove-group", groupId: id });
    for (const table of tables) for (const id of [...tx.state.table(table).keys()]) tx.remove(table, id);
    return { enis };
  },
});
