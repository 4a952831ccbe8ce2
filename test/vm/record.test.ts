import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { amend, type RecordedRun, record, recordedRuns } from "./record.ts";

test("programs that ran again replace what they said before, and the commit is told", async () => {
  const folder = await mkdtemp(join(tmpdir(), "terway-records-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const features = new Map([["veth", undefined]]);
  const common = { kernel: "6.1", release: "6.1.0-1", features };
  const results = (status: "passed" | "failed") => ["a", "b"].map((program) => ({ name: `6.1 ${program}::t`, status }));
  const again = { ...common, commit: "newer", day: "2026-11-22", results: results("passed") };
  await expect(amend(again, ["a"], folder)).rejects.toThrow("no run under 6.1");
  await record({ ...common, commit: "older", day: "2026-11-21", whole: true, results: results("failed") }, folder);
  await amend(again, ["a"], folder);
  expect(recordedRuns(folder)).toMatchObject([
    {
      commit: "older",
      later: [{ programs: ["a"], commit: "newer" }],
      results: [
        { name: "6.1 a::t", status: "passed" },
        { name: "6.1 b::t", status: "failed" },
      ],
    },
  ]);
});

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
