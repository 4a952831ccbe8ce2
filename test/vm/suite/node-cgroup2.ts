import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tail } from "../../runner/command.ts";
import type { TestResult } from "../../runner/result.ts";
import { type GuestOutcome, runGuest } from "../guest/guest.ts";
import { guestEnvironment, repositoryDisks, repositoryRoot } from "./repository.ts";
import type { Suite } from "./suite.ts";

/**
 * Suite b: a node on a cgroup v2 host, as systemd makes one. The lab's demo runs as it is: simulated VPC and cloud, two nodes with Debian's
 * containerd and runc, pods that get their addresses through the real executable and the real daemon, every path between them measured,
 * everything removed.
 */
export const nodeOnCgroup2: Suite = async ({ kernel, userland, folder, say }) => {
  const script = await readFile(fileURLToPath(new URL("node-cgroup2.sh", import.meta.url)), "utf8");
  const outcome = await runGuest({
    kernel,
    userland,
    folder,
    disks: await repositoryDisks(await mkdtemp(join(folder, "b-"))),
    memoryMiB: 3072,
    command: [...guestEnvironment, `cd ${repositoryRoot}`, script].join("\n"),
    commandTimeoutMs: 15 * 60_000,
    onLine: (line) => {
      if (step.test(line) || line.startsWith("guest ")) say(line.trim().replaceAll(/ {2,}/g, "  "));
    },
  });
  return interpret(outcome).map((result) => ({ ...result, name: `${kernel.version} cgroup v2: ${result.name}` }));
};

/** `  NAME      12.3 s  NOTE`, with FAILED before the name where it did. */
const step = /^ {2}(FAILED )?(\S.*?) +(\d+\.\d) s(?: {2}.*)?$/;

/** What the pods need of a host, and what a host without systemd's set-up would lack. */
const neededControllers = ["cpu", "memory", "pids", "io", "cpuset"];

/** The demo's steps and what was seen of the host's and a pod's control groups, as tests. */
export function interpret(outcome: Pick<GuestOutcome, "output" | "trouble" | "exitCode">): TestResult[] {
  const lines = outcome.output.split("\n");
  const word = (name: string) => lines.find((line) => line.startsWith(`@${name} `))?.slice(name.length + 2);
  const mounts = word("mounts");
  const controllers = word("controllers")?.split(" ") ?? [];
  const [group, ownControllers, membership, memory, pids] = word("pod")?.split("|") ?? [];
  const steps = lines
    .map((line) => step.exec(line))
    .filter((match) => match !== null)
    .map(([, failed, name, seconds]): TestResult => {
      const durationMs = Number(seconds) * 1000;
      return failed === undefined
        ? { name: `demo: ${name}`, status: "passed", durationMs }
        : { name: `demo: ${name}`, status: "failed", reason: tail(outcome.output, 40), durationMs };
    });
  const ended = outcome.exitCode === undefined ? (outcome.trouble ?? "the guest did not end") : `exit status ${outcome.exitCode}`;
  return [
    judge("the host has version 2 alone", mounts === "1 cgroup2", `mounted: ${mounts}`),
    judge(
      "the host delegates its controllers",
      neededControllers.every((name) => controllers.includes(name)),
      `there are ${controllers.join(" ") || "none"}`,
    ),
    judge(
      "a container has a group of its own in the one hierarchy, with controllers that count",
      group !== undefined &&
        ["cpu", "memory", "pids"].every((name) => ownControllers?.split(" ").includes(name)) &&
        membership === `0::${group.replace("/sys/fs/cgroup", "")}` &&
        Number(memory) > 0 &&
        Number(pids) > 0,
      `seen: ${word("pod") ?? "no pod in any group"}`,
    ),
    ...steps,
    judge("demo: all of it held, and nothing is left", outcome.exitCode === 0, `${ended}\n${tail(outcome.output, 40)}`),
  ];
}

function judge(name: string, holds: boolean, otherwise: string): TestResult {
  return holds ? { name, status: "passed" } : { name, status: "failed", reason: otherwise };
}
