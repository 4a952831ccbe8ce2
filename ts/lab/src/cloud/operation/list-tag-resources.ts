import { z } from "zod";
import { apiError } from "../api-error.ts";
import { list, tagList, text } from "../parameters.ts";
import { hasTags } from "../tags.ts";
import { operation } from "./operation.ts";
import { pageParameters, paginate } from "./page.ts";

const schema = z.object({
  ResourceType: text,
  ResourceId: list(50).optional(),
  Tag: tagList.max(20).optional(),
  NextToken: pageParameters.NextToken,
});

/** One entry for each tag of each ENI. */
export const listTagResources = operation({
  action: "ListTagResources",
  product: "Ecs",
  writes: false,
  delay: "describe",
  schema,
  run({ ResourceType, ResourceId: ids, Tag, ...page }, { view }) {
    if (ResourceType.toLowerCase() !== "eni") throw apiError("InvalidResourceType.NotFound");
    const found = [...view.enis.values()]
      .filter((eni) => (ids === undefined || ids.includes(eni.id)) && hasTags(eni.tags, Tag))
      .flatMap((eni) =>
        Object.entries(eni.tags).map(([TagKey, TagValue]) => ({ ResourceType: "eni", ResourceId: eni.id, TagKey, TagValue })),
      );
    const { items, fields } = paginate(
      found,
      (tag) => `${tag.ResourceId}/${tag.TagKey}`,
      { MaxResults: 50, ...page },
      { minResults: 1, maxResults: 50, maxPageSize: 50 },
    );
    return { NextToken: fields.NextToken, TagResources: { TagResource: items } };
  },
});
