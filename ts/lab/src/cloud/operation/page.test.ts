import fc from "fast-check";
import { expect, it } from "vitest";
import { paginate } from "./page.ts";

const limits = { minResults: 10, maxResults: 500, maxPageSize: 100 };
const same = (id: string) => id;

function readAll(ids: readonly string[], maxResults: number): string[] {
  const seen: string[] = [];
  let token: string | undefined;
  do {
    const page = paginate(ids, same, { MaxResults: maxResults, ...(token === undefined ? {} : { NextToken: token }) }, limits);
    seen.push(...page.items);
    token = page.fields.NextToken === "" ? undefined : String(page.fields.NextToken);
  } while (token !== undefined);
  return seen;
}

it("gives every entry once by tokens", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ unit: fc.constantFrom(..."0123456789abcdef") }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 40 }),
      (ids, size) => {
        expect(readAll(ids, size)).toEqual([...ids].sort());
      },
    ),
  );
});

it("moves sizes outside the limits to the limit", () => {
  const ids = Array.from({ length: 600 }, (_, index) => String(index).padStart(3, "0"));
  expect(paginate(ids, same, { MaxResults: 1 }, limits).items).toHaveLength(10);
  expect(paginate(ids, same, { MaxResults: 9999 }, limits).items).toHaveLength(500);
});

it("does not skip entries when one disappears between two pages", () => {
  const ids = Array.from({ length: 30 }, (_, index) => String(index).padStart(2, "0"));
  const first = paginate(ids, same, { MaxResults: 10 }, limits);
  const second = paginate(ids.slice(3), same, { MaxResults: 10, NextToken: String(first.fields.NextToken) }, limits);
  expect(second.items[0]).toBe("10");
});

it("counts numbered pages from one and answers the total", () => {
  const ids = Array.from({ length: 25 }, (_, index) => String(index));
  expect(paginate(ids, same, { PageNumber: 3 }, limits)).toEqual({
    items: ids.slice(20),
    fields: { TotalCount: 25, PageNumber: 3, PageSize: 10 },
  });
  expect(() => paginate(ids, same, { PageSize: 101 }, limits)).toThrow(expect.objectContaining({ code: "InvalidParameter" }));
  expect(() => paginate(ids, same, { NextToken: "not ours" }, limits)).toThrow(expect.objectContaining({ code: "InvalidParameter" }));
});
