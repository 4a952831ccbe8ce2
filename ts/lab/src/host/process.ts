import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { patient } from "./patience.ts";

/** A process that is surely the one meant: numbers are used again, a number with its start time is not. */
export interface ProcessRecord {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of `/proc/<pid>/stat`. */
  readonly startTime: string;
}

/** Undefined when there is no such process, or it is only a zombie. */
export async function identify(pid: number): Promise<ProcessRecord | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  // The second field is the program's name in brackets and may hold anything, blanks and brackets too.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const startTime = fields[19];
  return state === "Z" || state === "X" || startTime === undefined ? undefined : { pid, startTime };
}

export async function isAlive(record: ProcessRecord): Promise<boolean> {
  return (await identify(record.pid))?.startTime === record.startTime;
}

export async function signal(record: ProcessRecord, name: NodeJS.Signals): Promise<void> {
  if (!(await isAlive(record))) return;
  try {
    process.kill(record.pid, name);
  } catch {
    // Gone between the look and the signal.
  }
}

/** Resolves true when the process has ended, false when it still lives after `timeoutMs`. */
export async function waitForEnd(record: ProcessRecord, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + patient(timeoutMs);
  while (await isAlive(record)) {
    if (performance.now() > end) return false;
    await sleep(10);
  }
  return true;
}

export interface DetachedOptions {
  /** Standard output and error are appended here. */
  log: string;
  env?: Readonly<Record<string, string>>;
  cwd?: string;
}

/** Starts a process in a session of its own, which outlives this one. */
export async function startDetached(argv: readonly string[], options: DetachedOptions): Promise<ProcessRecord> {
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError("an empty command line");
  const log = openSync(options.log, "a");
  try {
    const child = spawn(file, args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, ...options.env },
      cwd: options.cwd ?? "/",
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("spawn", () => resolve(child.pid ?? -1));
    });
    child.unref();
    // Ended already: the record still names it, and matches nothing that lives.
    return (await identify(pid)) ?? { pid, startTime: "ended" };
  } finally {
    closeSync(log);
  }
}

export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text.split(" ").filter(Boolean).map(Number);
}

/** Every process that `matches` accepts. */
async function findProcesses(matches: (pid: number) => Promise<boolean>): Promise<ProcessRecord[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map(async (pid) => ((await matches(pid)) ? identify(pid) : undefined)));
  return found.filter((record) => record !== undefined);
}

/** Processes that were started, directly or not, with this environment variable. */
export function processesWithEnvironment(name: string, value: string): Promise<ProcessRecord[]> {
  const entry = `${name}=${value}`;
  return findProcesses(async (pid) => {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    return environment.split("\0").includes(entry);
  });
}

/** Processes whose network namespace has one of these inodes. */
export function processesInNetNamespaces(inodes: ReadonlySet<number>): Promise<ProcessRecord[]> {
  return findProcesses(async (pid) => {
    const link = await readlink(`/proc/${pid}/ns/net`).catch(() => "");
    return inodes.has(Number(/^net:\[(\d+)\]$/.exec(link)?.[1]));
  });
}

/** What the process was started as, for people. */
export async function describeProcess(record: ProcessRecord): Promise<string> {
  const commandLine = await readFile(`/proc/${record.pid}/cmdline`, "utf8").catch(() => "");
  return `${record.pid} ${commandLine.replaceAll("\0", " ").trim().slice(0, 120)}`;
}
