import { expect, test } from "vitest";
import { complaints, interpret, unfinished } from "./kernel-objects.ts";

const lifecycle = "/t/debug/deps/lifecycle-00ff";
const traffic = "/t/debug/deps/traffic-00aa";
const heading = (file: string) => `Running ${file.split("/").at(-1)} (${file})`;

test("the tests of a program that ran to its end are counted", () => {
  const output = [
    heading(lifecycle),
    "test a ... ok",
    "test b ... FAILED",
    "---- b stdout ----",
    "boom",
    "",
    `@program ${lifecycle} 101 7`,
  ];
  expect(interpret({ output: output.join("\n") }, [lifecycle])).toEqual([
    { name: "lifecycle::a", status: "passed" },
    { name: "lifecycle::b", status: "failed", reason: expect.stringContaining("boom") },
  ]);
});

test("a test that failed and passed when it ran again has passed, and how it failed is told", () => {
  const first = [heading(lifecycle), "test a ... ok", "test b ... FAILED", "test c ... FAILED", "---- b stdout ----", "boom", ""];
  const output = [...first, "@again", "test b ... ok", "test c ... FAILED", "", `@program ${lifecycle} 101 9`].join("\n");
  expect(interpret({ output }, [lifecycle])).toEqual([
    { name: "lifecycle::a", status: "passed" },
    { name: "lifecycle::b", status: "passed", note: expect.stringContaining("boom") },
    { name: "lifecycle::c", status: "failed", reason: expect.any(String) },
  ]);
});

test("a program that crashed, took too long or never ran fails under its own name", () => {
  const output = [heading(lifecycle), "test a ... ok", `@program ${lifecycle} 139 7`].join("\n");
  const results = interpret({ output, trouble: "Kernel panic" }, [lifecycle, traffic]);
  expect(results.map(({ name, status }) => `${name} ${status}`)).toEqual(["lifecycle::a passed", "lifecycle failed", "traffic failed"]);
  expect(results[1]?.reason).toContain("ended with 139");
  expect(results[2]?.reason).toContain("Kernel panic");
  const late = interpret({ output: `${heading(traffic)}\n@program ${traffic} 124 480` }, [traffic]);
  expect(late).toEqual([{ name: "traffic", status: "failed", reason: expect.stringContaining("not done after 480 s") }]);
});

test("a fresh guest runs what was on when the guest got stuck and what came after, and nothing where the guest was well", () => {
  const ended = [heading(lifecycle), "test a ... ok", `@program ${lifecycle} 0 7`];
  const late = [heading(traffic), "test b ... ok", `@program ${traffic} 124 180`];
  expect(unfinished({ output: ended.concat(late).join("\n"), stuck: "silent" }, [lifecycle, traffic])).toEqual([traffic]);
  expect(unfinished({ output: late.slice(0, 2).join("\n"), stuck: "silent" }, [lifecycle, traffic])).toEqual([lifecycle, traffic]);
  expect(unfinished({ output: late.join("\n") }, [traffic])).toEqual([]);
});

test("a kernel that waits for what does not come is told of, whether the tests noticed or not", () => {
  const line = "[  114.8] unregister_netdevice: waiting for eth1 to become free. Usage count = 1";
  expect(complaints([{ kernelLog: "[ 1.0] hello", output: "" }])).toEqual([]);
  expect(complaints([{ kernelLog: line, output: "" }])).toMatchObject([{ status: "passed", note: expect.stringContaining("eth1") }]);
  expect(complaints([{ kernelLog: "", output: "last words", stuck: "silent for 90 s" }])[0]?.note).toBe("silent for 90 s\nlast words");
});
