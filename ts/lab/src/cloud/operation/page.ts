import type { z } from "zod";
import { apiError } from "../api-error.ts";
import { integer, text } from "../parameters.ts";

/** Parameters of both paging styles of ECS. */
export const pageParameters = {
  PageNumber: integer(1, 1_000_000).optional(),
  PageSize: integer(1, 1000).optional(),
  MaxResults: integer(0, 100_000).optional(),
  NextToken: text.optional(),
} satisfies z.ZodRawShape;

export interface PageRequest {
  readonly PageNumber?: number | undefined;
  readonly PageSize?: number | undefined;
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** The fields that describe the page in the answer. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * MaxResults or NextToken choose the token style, in which sizes outside the limits are moved to the limit; everything else is the numbered
 * style. A token names the last id given, so an entry that disappears between two pages shifts nothing.
 */
export function paginate<T>(
  all: readonly T[],
  id: (item: T) => string,
  request: PageRequest,
  limits: { minResults: number; maxResults: number; maxPageSize: number },
): Page<T> {
  if (request.MaxResults !== undefined || request.NextToken !== undefined) {
    const size = Math.min(limits.maxResults, Math.max(limits.minResults, request.MaxResults ?? limits.minResults));
    const after = request.NextToken === undefined ? undefined : decodeToken(request.NextToken);
    const sorted = [...all].sort((a, b) => (id(a) < id(b) ? -1 : 1));
    const rest = after === undefined ? sorted : sorted.filter((item) => id(item) > after);
    const items = rest.slice(0, size);
    const last = items.at(-1);
    return {
      items,
      fields: {
        NextToken: rest.length > size && last !== undefined ? encodeToken(id(last)) : "",
        TotalCount: all.length,
      },
    };
  }
  return paginateByNumber(all, request, limits.maxPageSize);
}

export function paginateByNumber<T>(all: readonly T[], { PageNumber = 1, PageSize = 10 }: PageRequest, maxPageSize: number): Page<T> {
  if (PageSize > maxPageSize) throw apiError("InvalidParameter", { name: "PageSize", reason: `It must not exceed ${maxPageSize}.` });
  return { items: all.slice((PageNumber - 1) * PageSize, PageNumber * PageSize), fields: { TotalCount: all.length, PageNumber, PageSize } };
}

function encodeToken(id: string): string {
  return Buffer.from(id).toString("base64url");
}

function decodeToken(token: string): string {
  const id = Buffer.from(token, "base64url").toString();
  if (encodeToken(id) !== token) throw apiError("InvalidParameter", { name: "NextToken", reason: "It is not one of ours." });
  return id;
}
