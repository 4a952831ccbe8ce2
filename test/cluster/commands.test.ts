import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { findLeftovers, LabDirectory, repositoryRoot, run, sweep } from "@terway/lab";
import { afterEach, expect, test } from "vitest";

/** What people type, below the npm scripts: output, exit status, and what is left. */
const id = `c${process.pid.toString(36)}`;
const main = join(repositoryRoot, "ts/lab/src/main.ts");
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  expect(await sweep(id)).toEqual([]);
});

/** Runs a command of terway-lab; `until` kills it as soon as its output matches. Answers exit status and output. */
function lab(args: readonly string[], until?: RegExp): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [main, ...args, "--id", id], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let output = "";
  const collect = (text: string) => {
    output += text;
    if (until?.test(output)) child.kill("SIGKILL");
  };
  child.stdout.setEncoding("utf8").on("data", collect);
  child.stderr.setEncoding("utf8").on("data", collect);
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}

test("the cluster stays, kubectl reaches it as the command says, and --down removes it", async () => {
  const up = await lab(["cluster", "--nodes", "1", "--terway", "process"]);
  expect(up.code, up.output).toBe(0);
  const [, kubectl = ""] = /^ {2}(\S+kubectl) get pods/m.exec(up.output) ?? [];
  const [, kubeconfig = ""] = /export KUBECONFIG=(\S+)/.exec(up.output) ?? [];
  expect(kubeconfig).toContain(new LabDirectory(id).path);
  const { stdout } = await run([kubectl, "get", "nodes", "--no-headers"]);
  expect(stdout).toMatch(/^node-a +Ready /);
  const second = await lab(["cluster"]);
  expect([second.code, second.output]).toEqual([1, expect.stringContaining("left running on purpose")]);
  const down = await lab(["cluster", "--down"]);
  expect(down.code, down.output).toBe(0);
  expect(await findLeftovers(id)).toEqual([]);
});

test("killed while it was being built, --down removes what is there", { tags: ["long"] }, async () => {
  const killed = await lab(["cluster", "--nodes", "1", "--terway", "process"], /control plane, 1 node/);
  expect(killed.code, killed.output).toBeNull();
  expect(await findLeftovers(id)).not.toEqual([]);
  const down = await lab(["cluster", "--down"]);
  expect(down.code, down.output).toBe(0);
  expect(await findLeftovers(id)).toEqual([]);
});

test("the demo holds with Pods of a real cluster", { tags: ["long"] }, async () => {
  const { code, output } = await lab(["demo", "--kubernetes"]);
  expect(code, output).toBe(0);
  expect(output).toContain("432 probes");
  expect(output.trimEnd().split("\n").at(-1)).toBe("All of it held, and nothing is left.");
});
