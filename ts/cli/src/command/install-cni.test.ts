import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../program.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-install-"));
  await writeFile(join(directory, "from"), "new", { mode: 0o600 });
});
afterEach(() => rm(directory, { recursive: true }));

async function install(): Promise<string> {
  let out = "";
  const args = ["install-cni", "--from", join(directory, "from"), "--into", join(directory, "bin")];
  expect(await run(args, { colour: false, out: (text) => (out += text), err: () => {} })).toBe(0);
  return out;
}

test("installed with the right to run it, replaced by another, left alone when it is current", async () => {
  const target = join(directory, "bin/terway");
  expect(await install()).toBe(`${target} installed\n`);
  expect((await stat(target)).mode & 0o777).toBe(0o755);
  expect(await install()).toBe(`${target} is current\n`);
  await writeFile(target, "old");
  expect(await install()).toBe(`${target} replaced\n`);
  expect(await readFile(target, "utf8")).toBe("new");
  expect(await readdir(join(directory, "bin"))).toEqual(["terway"]);
});
