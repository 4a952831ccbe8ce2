import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CommandError, run } from "./command.ts";
import { Mutex } from "./mutex.ts";
import { identify, isAlive, processesWithEnvironment, signal, startDetached, waitForEnd } from "./process.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tw-host-"));
});
afterEach(() => rm(directory, { recursive: true }));

test("a process is known by its number and its start, so that a number used again is another process", async () => {
  const self = await identify(process.pid);
  if (self === undefined) throw new Error("this process does not see itself");
  expect(await isAlive(self)).toBe(true);
  expect(await isAlive({ pid: self.pid, startTime: `${Number(self.startTime) - 1}` })).toBe(false);
  expect(await identify(2 ** 30)).toBeUndefined();
});

test("a detached process is found by its environment, together with what it starts, and can be ended", async () => {
  const mark = `m${process.pid}x${Math.floor(performance.now())}`;
  const log = join(directory, "log");
  const record = await startDetached(["sh", "-c", "echo hello; sleep 60 & wait"], { log, env: { TERWAY_TEST_MARK: mark } });
  // Until the shell has started its child.
  while ((await processesWithEnvironment("TERWAY_TEST_MARK", mark)).length < 2) expect(await isAlive(record)).toBe(true);
  const found = await processesWithEnvironment("TERWAY_TEST_MARK", mark);
  expect(found).toContainEqual(record);
  for (const one of found) await signal(one, "SIGKILL");
  for (const one of found) expect(await waitForEnd(one, 5_000)).toBe(true);
  expect(await readFile(log, "utf8")).toBe("hello\n");
});

test("a program that does not exist fails at the start", async () => {
  await expect(startDetached([join(directory, "none")], { log: join(directory, "log") })).rejects.toThrow(/ENOENT/);
  await expect(run([join(directory, "none")])).rejects.toThrow(/ENOENT/);
});

test("a failing command tells its command line, its status and what it said; an allowed status is no failure", async () => {
  const argv = ["sh", "-c", "echo broken >&2; exit 3"];
  await expect(run(argv)).rejects.toThrow("sh -c echo broken >&2; exit 3: exit status 3: broken");
  await expect(run(argv, { allow: [3] })).resolves.toMatchObject({ code: 3, stderr: "broken\n" });
  await expect(run(["sleep", "60"], { timeoutMs: 50 })).rejects.toThrow(/killed after \d+ ms/);
  await expect(run(["sleep", "60"], { timeoutMs: 50 })).rejects.toBeInstanceOf(CommandError);
});

test("a command gets its input and may leave it unread", async () => {
  expect((await run(["cat"], { input: "abc" })).stdout).toBe("abc");
  await expect(run(["true"], { input: "x".repeat(1 << 20) })).resolves.toMatchObject({ code: 0 });
});

test("tasks under a mutex never overlap, also when one fails", async () => {
  const mutex = new Mutex();
  const events: string[] = [];
  const task = (name: string, fails: boolean) =>
    mutex.run(async () => {
      events.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`${name} ends`);
      if (fails) throw new Error(name);
    });
  const results = await Promise.allSettled([task("a", true), task("b", false)]);
  expect(results.map((result) => result.status)).toEqual(["rejected", "fulfilled"]);
  expect(events).toEqual(["a begins", "a ends", "b begins", "b ends"]);
});
