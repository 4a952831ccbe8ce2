import { expect, test } from "vitest";
import { interpret } from "./kernel-objects.ts";

const lifecycle = "/t/debug/deps/lifecycle-00ff";
const traffic = "/t/debug/deps/traffic-00aa";
const heading = (file: string) => `Running ${file.split("/").at(-1)} (${file})`;

test("the tests of a program that ran to its end are counted", () => {
  const output = [heading(lifecycle), "test a ... ok", "test b ... FAILED", "---- b stdout ----", "boom", "", `@program ${lifecycle} 101`];
  expect(interpret({ output: output.join("\n") }, { tests: [lifecycle] })).toEqual([
    { name: "lifecycle::a", status: "passed" },
    { name: "lifecycle::b", status: "failed", reason: expect.stringContaining("boom") },
  ]);
});

test("a program that crashed, took too long or never ran fails under its own name", () => {
  const output = [heading(lifecycle), "test a ... ok", `@program ${lifecycle} 139`].join("\n");
  const results = interpret({ output, trouble: "Kernel panic" }, { tests: [lifecycle, traffic] });
  expect(results.map(({ name, status }) => `${name} ${status}`)).toEqual(["lifecycle::a passed", "lifecycle failed", "traffic failed"]);
  expect(results[1]?.reason).toContain("ended with 139");
  expect(results[2]?.reason).toContain("Kernel panic");
  const late = interpret({ output: `@program ${traffic} 124` }, { tests: [traffic] });
  expect(late).toEqual([{ name: "traffic", status: "failed", reason: expect.stringContaining("not done after") }]);
});
