import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type RecordedRun, record, recordedRuns } from "./record.ts";

test("a run is read as it was kept, the next one replaces it, and a file of another form is named", async () => {
  const folder = await mkdtemp(join(tmpdir(), "terway-records-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const run: RecordedRun = {
    kernel: "6.1",
    release: "6.1.0-1",
    commit: "0123456789ab",
    day: "2026-11-21",
    whole: true,
    features: new Map([
      ["veth", undefined],
      ["netkit", "Unknown device type"],
    ]),
    results: [
      { name: "6.1 a::b", status: "passed" },
      { name: "6.1 a::c", status: "skipped", reason: "no netkit" },
    ],
  };
  await record({ ...run, commit: "older" }, folder);
  await record(run, folder);
  expect(recordedRuns(folder)).toEqual([run]);
  await writeFile(join(folder, "5.10.json"), "{}");
  expect(() => recordedRuns(folder)).toThrow("5.10.json");
});
