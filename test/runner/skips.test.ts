import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { judgeSkips } from "./skips.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "terway-skips-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function judge(probe: string) {
  const file = join(folder, "allowed.json");
  await writeFile(file, JSON.stringify([{ test: "^ipvlan ", reason: "the kernel has no IPvlan", probe }]));
  return judgeSkips(
    [
      { name: "ipvlan sends", status: "skipped", reason: "EOPNOTSUPP" },
      { name: "veth sends", status: "skipped", reason: "lazy" },
      { name: "veth receives", status: "passed" },
    ],
    file,
  );
}

test("a listed skip stays a skip while its probe holds", async () => {
  const [listed, unlisted, passed] = await judge("true");
  expect(listed).toEqual({ name: "ipvlan sends", status: "skipped", reason: "the kernel has no IPvlan" });
  expect(unlisted).toMatchObject({ status: "failed", reason: expect.stringContaining("does not allow") });
  expect(passed).toMatchObject({ status: "passed" });
});

test("a listed skip without ground is a failure", async () => {
  expect((await judge("false"))[0]).toMatchObject({ status: "failed", reason: expect.stringContaining("finds no ground") });
});
