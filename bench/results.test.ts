import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { validate } from "./validate.ts";

const folder = new URL("./results/", import.meta.url);
const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).map((name) => name.replace(/\.json$/, ""));

test("there are results", () => expect(names.length).toBeGreaterThan(0));

test.each(names)("the committed result of %s has the form of its schema", async (name) => {
  const result: object = JSON.parse(await readFile(new URL(`${name}.json`, folder), "utf8"));
  // `add.exclusive` is the bench add in mode exclusive.
  const [bench = "", mode] = name.split(".");
  await validate(bench, result);
  expect(result).toMatchObject({ bench, ...(mode === undefined ? {} : { options: { mode } }) });
});
