import { z } from "zod";
import { apiError } from "../api-error.ts";
import { list, tagList, text } from "../parameters.ts";
import type { NetworkInterface } from "../records.ts";
import { checkTagCount, parseTags } from "../tags.ts";
import type { Transaction } from "../transaction.ts";
import { operation } from "./operation.ts";

const schema = z.object({ ResourceType: text, ResourceId: list(50), Tag: tagList.min(1).max(20) });

/** Adds tags to ENIs; a tag with the same key is replaced. */
export const tagResources = operation({
  action: "TagResources",
  product: "Ecs",
  writes: true,
  delay: "other",
  schema,
  run({ ResourceType, ResourceId, Tag }, { tx }) {
    const tags = parseTags(Tag);
    for (const eni of taggedEnis(tx, ResourceType, ResourceId)) tx.putEni({ ...eni, tags: checkTagCount({ ...eni.tags, ...tags }) });
    return {};
  },
});

/** Only ENIs carry tags here; their resource type is `eni`. */
export function taggedEnis(tx: Transaction, type: string, ids: readonly string[]): NetworkInterface[] {
  if (type.toLowerCase() !== "eni") throw apiError("InvalidResourceType.NotFound");
  return ids.map((id) => {
    const eni = tx.eni(id);
    if (eni === undefined) throw apiError("InvalidResourceId.NotFound", { id });
    return eni;
  });
}
