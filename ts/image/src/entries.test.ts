import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { entriesOf } from "./entries.ts";
import { tar } from "./tar.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tw-entries-"));
});
afterEach(() => rmSync(root, { recursive: true }));

test("directories before what is in them; of modes only whether a file may be run; links as links", async () => {
  mkdirSync(join(root, "b/c"), { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "b/c/run"), "x", { mode: 0o700 });
  writeFileSync(join(root, "a"), "y", { mode: 0o600 });
  symlinkSync("b/c/run", join(root, "z"));
  const shapes = (await entriesOf(root)).map(({ path, mode, link }) => [path, mode.toString(8), link]);
  expect(shapes).toEqual([
    ["a", "644", undefined],
    ["b/", "755", undefined],
    ["b/c/", "755", undefined],
    ["b/c/run", "755", undefined],
    ["z", "777", "b/c/run"],
  ]);
});

test("who staged the files, and when, changes nothing", async () => {
  writeFileSync(join(root, "a"), "y", { mode: 0o600 });
  const before = tar(await entriesOf(root));
  chmodSync(join(root, "a"), 0o664);
  utimesSync(join(root, "a"), 1, 1);
  expect(tar(await entriesOf(root))).toEqual(before);
});
