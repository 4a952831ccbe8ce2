import { describe, expect, it } from "vitest";
import { z } from "zod";
import { flag, integer, list, parseParameters, tagList, text, unflatten } from "./parameters.ts";

describe("unflatten", () => {
  it("builds lists in the order of their numbers, of texts and of objects", () => {
    expect(unflatten({ "A.2": "b", "A.10": "c", "A.1": "a", "Tag.1.Key": "k", "Tag.1.Value": "v", "Deep.Inner.1": "x" })).toEqual({
      A: ["a", "b", "c"],
      Tag: [{ Key: "k", Value: "v" }],
      Deep: { Inner: ["x"] },
    });
  });

  it("is not fooled by names of the prototype", () => {
    const parsed = unflatten({ "__proto__.polluted": "1", "constructor.prototype.polluted": "1" });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.keys(parsed)).toContain("constructor");
  });
});

describe("parseParameters", () => {
  const schema = z.object({
    Id: text,
    Count: integer(1, 10).optional(),
    Flag: flag.optional(),
    List: list(2).optional(),
    Tag: tagList.optional(),
  });
  const code = (wire: Record<string, string>, strict = true) => {
    try {
      parseParameters(schema, wire, strict);
      return "ok";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it.each([
    [{ Id: "x", Count: "10", Flag: "TRUE", "List.1": "a" }, "ok"],
    [{}, "MissingParameter"],
    [{ Id: "" }, "MissingParameter"],
    [{ Id: "x", Count: "11" }, "InvalidParameter"],
    [{ Id: "x", Count: "ten" }, "InvalidParameter"],
    [{ Id: "x", Flag: "yes" }, "InvalidParameter"],
    [{ Id: "x", "List.1": "a", "List.2": "b", "List.3": "c" }, "InvalidParameter"],
    [{ Id: "x", List: "a" }, "InvalidParameter"],
    [{ Id: "x", Typo: "a" }, "UnsupportedParameter"],
    [{ Id: "x", RegionId: "cn-hangzhou", OwnerId: "1" }, "ok"],
  ])("%j gives %s", (wire, expected) => expect(code(wire as Record<string, string>)).toBe(expected));

  it("lets unknown parameters pass when it is not strict", () => expect(code({ Id: "x", Typo: "a" }, false)).toBe("ok"));
});
