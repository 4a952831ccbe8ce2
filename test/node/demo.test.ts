import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { findLeftovers, LabDirectory, repositoryRoot, sweep } from "@terway/lab";
import { afterEach, describe, expect, test } from "vitest";

/** The demo as a newcomer runs it, below the npm script: its output, its exit status, and what it leaves. */
const id = `d${process.pid.toString(36)}`;
const main = join(repositoryRoot, "ts/lab/src/main.ts");
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  expect(await sweep(id)).toEqual([]);
});

interface Demo {
  readonly child: ChildProcess;
  /** All it has written so far. */
  output(): string;
  /** Exit status; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Resolves when the output matches; rejects when the demo ends without. */
  says(pattern: RegExp): Promise<void>;
}

function demo(...args: string[]): Demo {
  const child = spawn(process.execPath, [main, "demo", "--id", id, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let output = "";
  const watchers = new Set<() => void>();
  const collect = (text: string) => {
    output += text;
    for (const watcher of watchers) watcher();
  };
  child.stdout.setEncoding("utf8").on("data", collect);
  child.stderr.setEncoding("utf8").on("data", collect);
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return {
    child,
    output: () => output,
    ended,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!pattern.test(output)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        void ended.then(() => reject(new Error(`the demo ended without ${pattern}:\n${output}`)));
        look();
      }),
  };
}

describe.for([
  { runtime: "debian", tags: [] },
  { runtime: "containerd-2", tags: ["long"] },
])("under $runtime", ({ runtime, tags }) => {
  test("it holds, says so plainly, and leaves nothing", { tags }, async () => {
    const one = demo("--runtime", runtime);
    expect(await one.ended, one.output()).toBe(0);
    expect(one.output()).not.toContain("\x1b");
    expect(one.output().trimEnd().split("\n").at(-1)).toBe("All of it held, and nothing is left.");
    // Nine endpoints, each to eight others, three protocols, two families.
    expect(one.output()).toContain("432 probes");
    expect(
      one.output().match(/^ {2}node-[ab] +web-[ab]-\d +10\.0\.[12]\.\d+ +fd00::\S+ +eni-\S+ +cali[0-9a-f]{11} +[\d.]+ +\d+$/gm),
    ).toHaveLength(6);
    expect(await findLeftovers(id)).toEqual([]);
  });
});

test("--keep leaves it running, a second demo does not touch it, --down removes it", async () => {
  const kept = demo("--keep");
  expect(await kept.ended, kept.output()).toBe(0);
  expect(kept.output()).toContain("left running");
  expect((await findLeftovers(id)).some((line) => line.includes("containerd"))).toBe(true);

  const second = demo();
  expect(await second.ended).toBe(1);
  expect(second.output()).toContain("left running on purpose");
  expect((await findLeftovers(id)).some((line) => line.includes("containerd"))).toBe(true);

  const down = demo("--down");
  expect(await down.ended, down.output()).toBe(0);
  expect(await findLeftovers(id)).toEqual([]);
});

test("while one is at work another with the same id is refused", { tags: ["long"] }, async () => {
  const first = demo();
  await first.says(/VPC with cloud API/);
  const second = demo();
  expect(await second.ended).toBe(1);
  expect(second.output()).toContain(`is at work in process ${first.child.pid}`);
  expect(await first.ended, first.output()).toBe(0);
});

describe.for([
  { moment: /^$/, tags: ["long"] },
  { moment: /VPC with cloud API/, tags: ["long"] },
  { moment: /two nodes with containerd/, tags: ["long"] },
  { moment: /terwayd: pools warm/, tags: ["long"] },
  { moment: /6 pods/, tags: [] },
])("killed after $moment", ({ moment, tags }) => {
  test("the next run cleans up and works", { tags }, async () => {
    const killed = demo();
    await killed.says(moment);
    if (moment.source === "^$") await expect.poll(() => new LabDirectory(id).read(), { timeout: 10_000, interval: 1 }).toBeDefined();
    killed.child.kill("SIGKILL");
    await killed.ended;
    expect(await findLeftovers(id)).not.toEqual([]);
    const next = demo();
    expect(await next.ended, next.output()).toBe(0);
    expect(next.output()).toContain("remove what an earlier run left");
    expect(await findLeftovers(id)).toEqual([]);
  });
});

test("when nobody reads its output any more, it still removes everything", { tags: ["long"] }, async () => {
  const one = demo();
  await one.says(/two nodes with containerd/);
  one.child.stdout?.destroy();
  expect(await one.ended).toBe(0);
  expect(await findLeftovers(id)).toEqual([]);
});

test("interrupted, it removes everything before it goes", async () => {
  const one = demo();
  await one.says(/two nodes with containerd/);
  one.child.kill("SIGINT");
  expect(await one.ended, one.output()).toBe(130);
  expect(await findLeftovers(id)).toEqual([]);
});
