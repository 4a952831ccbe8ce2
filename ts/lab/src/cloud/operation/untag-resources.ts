import { z } from "zod";
import { flag, list, text } from "../parameters.ts";
import { operation } from "./operation.ts";
import { taggedEnis } from "./tag-resources.ts";

const schema = z.object({ ResourceType: text, ResourceId: list(50), TagKey: list(20).optional(), All: flag.optional() });

export const untagResources = operation({
  action: "UntagResources",
  product: "Ecs",
  writes: true,
  delay: "other",
  schema,
  run({ ResourceType, ResourceId, TagKey: keys = [], All: all = false }, { tx }) {
    for (const eni of taggedEnis(tx, ResourceType, ResourceId)) {
      const kept = Object.entries(eni.tags).filter(([key]) => !(all && keys.length === 0) && !keys.includes(key));
      tx.putEni({ ...eni, tags: Object.fromEntries(kept) });
    }
    return {};
  },
});
