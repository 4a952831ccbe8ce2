import { access, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const table = await readFile(new URL("terway-flows.md", import.meta.url), "utf8");
const rows = table.split("\n").flatMap((line) => {
  const [, flow = "", tests = ""] = /^\| (.+?) \| (.+) \|$/.exec(line) ?? [];
  return flow === "" || flow === "flow" ? [] : [{ flow, tests }];
});

test("the table is read", () => expect(rows.length).toBeGreaterThan(25));

test.each(rows)("$flow: the tests that are named exist, or there is a reason", async ({ tests }) => {
  let file: string | undefined;
  for (const [, path, title] of tests.matchAll(/`([^`]+\.ts)`|"([^"]+)"/g)) {
    if (path !== undefined) file = await readFile(new URL(path, root), "utf8");
    else expect(file?.includes(`"${title}"`), `a test named ${title}`).toBe(true);
  }
  for (const [, link = ""] of tests.matchAll(/\]\(([^)]+)\)/g)) await access(new URL(link, new URL("test/e2e/", root)));
  if (file === undefined) expect(tests).toMatch(/^not (run|so)|\]\(|the demo/);
});
