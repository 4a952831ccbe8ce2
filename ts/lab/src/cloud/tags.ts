import { apiError } from "./api-error.ts";
import type { Tags } from "./records.ts";

export interface WireTag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** Most tags of one resource. */
const maxTags = 20;

export function parseTags(tags: readonly WireTag[] = []): Tags {
  const parsed = new Map<string, string>();
  for (const { Key: key = "", Value: value = "" } of tags) {
    if (key === "" || key.length > 128 || /^(aliyun|acs:)/i.test(key) || /https?:\/\//i.test(key))
      throw apiError("InvalidTagKey.Malformed", { key });
    if (value.length > 128 || /https?:\/\//i.test(value)) throw apiError("InvalidTagValue.Malformed");
    if (parsed.has(key)) throw apiError("Duplicate.TagKey", { key });
    parsed.set(key, value);
  }
  return checkTagCount(Object.fromEntries(parsed));
}

export function checkTagCount(tags: Tags): Tags {
  if (Object.keys(tags).length > maxTags) throw apiError("QuotaExceed.Tags");
  return tags;
}

/** Whether the resource carries every asked tag; a tag without value matches any value. */
export function hasTags(tags: Tags, wanted: readonly WireTag[] = []): boolean {
  return wanted.every(
    ({ Key: key, Value: value }) => key === undefined || (Object.hasOwn(tags, key) && (value === undefined || tags[key] === value)),
  );
}

/** Requests say Key and Value, answers TagKey and TagValue. */
export function tagSet(tags: Tags) {
  return { Tag: Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue })) };
}
