import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseLibtest } from "../../runner/cargo.ts";
import { run, tail } from "../../runner/command.ts";
import type { TestResult } from "../../runner/result.ts";
import { withSecondTry } from "../../runner/second-try.ts";
import { type Disk, diskFromFolder } from "../guest/disk.ts";
import { type GuestOutcome, runGuest } from "../guest/guest.ts";
import { type BuiltTests, buildTests } from "./cargo-build.ts";
import type { Selection } from "./extent.ts";
import type { Suite } from "./suite.ts";

/** A guest says something at least once for each program, later than this after its limit only where nothing works any more. */
const silenceSeconds = 60;

/** `eth1` and `eth2` of the tests' node as hardware, and the VPC's ends (`tests/exclusive_nic.rs`). */
const cables = [
  ["00:16:3e:00:00:01", "00:16:3e:00:01:01"],
  ["00:16:3e:00:00:02", "00:16:3e:00:01:02"],
] as const;

interface Prepared {
  readonly built: BuiltTests;
  readonly disk: Disk;
}

const prepared = new Map<string, Promise<Prepared>>();

/**
 * Suite a: the Rust tests that make real kernel objects (links, routes, rules, packets), the very programs that run on the host, under
 * another kernel. What a kernel cannot do the tests find out themselves and skip, as on any host. A guest that makes no progress any more
 * is ended, and what it had not done runs in a fresh one, once; a result of its own says so.
 */
export const kernelObjects: Suite = async ({ kernel, userland, folder, selection, probed, say }) => {
  const shared = prepared.get(folder) ?? prepare(folder);
  prepared.set(folder, shared);
  const { built, disk } = await shared;
  const tests = built.tests.filter((file) => selection.argumentsOf(programName(file)) !== undefined);
  let done = 0;
  const boot = async (files: readonly string[]): Promise<GuestOutcome> =>
    runGuest({
      kernel,
      userland,
      folder,
      disks: [disk],
      cables,
      command: await script("modprobe virtio_net\ncanary &", files, selection),
      commandTimeoutMs: selection.guestMinutes * 60_000,
      silenceTimeoutMs: (selection.programSeconds + silenceSeconds) * 1000,
      onLine: (line) => {
        if (/^test .* \.\.\. (ok|FAILED|ignored)/.test(line)) done += 1;
        const [, file, , seconds] = programEnd.exec(line) ?? [];
        if (file !== undefined) say(`${programName(file)} done after ${seconds} s, ${done} tests so far`);
        if (line.startsWith("guest ")) say(line);
      },
    });
  const first = await boot(tests);
  const rest = unfinished(first, tests);
  if (rest.length > 0) say(`${first.stuck}\nA fresh guest runs what is left: ${rest.map(programName).join(", ")}`);
  const second = rest.length > 0 ? await boot(rest) : undefined;
  const outcomes = second === undefined ? [first] : [first, second];
  probed(outcomes.map(({ output }) => output).join("\n"));
  const ended = tests.filter((file) => !rest.includes(file));
  const results = [...interpret(first, ended), ...(second === undefined ? [] : interpret(second, rest)), ...complaints(outcomes)];
  return results.map((result) => ({ ...result, name: `${kernel.version} ${result.name}` }));
};

/** Something of the kernel's waits for what does not come: from the first such line on, sooner or later everything does. */
const stalled = /unregister_netdevice: waiting|blocked for more than|stall|lockup|BUG:/;

/** What the guests' kernels complained of, as a result that says so although all tests may have passed. */
export function complaints(outcomes: readonly Pick<GuestOutcome, "stuck" | "kernelLog" | "output">[]): TestResult[] {
  const told = outcomes.flatMap(({ stuck, kernelLog, output }) => {
    const lines = kernelLog.split("\n").filter((line) => stalled.test(line));
    const log = lines.length === 0 ? [] : [`the kernel said ${lines.length} times, first and last:`, lines[0] ?? "", lines.at(-1) ?? ""];
    return stuck === undefined ? log : [...log, stuck, tail(output)];
  });
  return told.length === 0 ? [] : [{ name: "guest", status: "passed", note: told.join("\n") }];
}

/** What a fresh guest is to run after this one got stuck: the program that was on and those after it. */
export function unfinished({ output, stuck }: Pick<GuestOutcome, "output" | "stuck">, files: readonly string[]): string[] {
  if (stuck === undefined) return [];
  const sections = readSections(output);
  return files.filter((file) => {
    const code = sections.get(file)?.code;
    return code === undefined || overdue.has(code);
  });
}

/** Exit statuses of `timeout`: the program was ended, or killed. */
const overdue = new Set([124, 137]);

const programStart = /^Running \S+ \((\S+)\)$/;
const programEnd = /^@program (\S+) (\d+) (\d+)$/;

interface Section {
  text: string;
  /** Absent: it did not come to its end. */
  code?: number;
  seconds?: number;
}

/** What each program said, and how it ended. */
function readSections(output: string): Map<string, Section> {
  const sections = new Map<string, Section>();
  let section: Section | undefined;
  for (const line of output.split("\n")) {
    const [, started] = programStart.exec(line) ?? [];
    if (started !== undefined) {
      section = { text: "" };
      sections.set(started, section);
    }
    const [, , code, seconds] = programEnd.exec(line) ?? [];
    if (section === undefined) continue;
    if (code === undefined) section.text += `${line}\n`;
    else Object.assign(section, { code: Number(code), seconds: Number(seconds) });
  }
  return sections;
}

/** Results of these programs in one guest's output; a program that did not come to its end is a failure of its own. */
export function interpret(outcome: Pick<GuestOutcome, "output" | "trouble">, files: readonly string[]): TestResult[] {
  const sections = readSections(outcome.output);
  return files.flatMap((file) => {
    const { text, code, seconds } = sections.get(file) ?? { text: "" };
    const [first = "", second = ""] = text.split("\n@again\n");
    const heading = first.slice(0, first.indexOf("\n") + 1);
    const results = withSecondTry(parseLibtest(first), parseLibtest(heading + second));
    if ((code === 0 && results.length > 0) || (code !== undefined && results.some(({ status }) => status === "failed"))) return results;
    const reason =
      code === undefined
        ? `did not end: ${outcome.trouble ?? "no reason known"}`
        : overdue.has(code)
          ? `not done after ${seconds} s`
          : code === 0
            ? "ran no test"
            : `ended with ${code} and named no failed test`;
    return [...results, { name: programName(file), status: "failed", reason: `${reason}\n${tail(text, 20)}` }];
  });
}

/** `lifecycle` of `/…/deps/lifecycle-00ff`. */
function programName(file: string): string {
  return basename(file).replace(/-[0-9a-f]+$/, "");
}

/** bash: the programs one after another (kernel-objects.sh). */
async function script(begin: string, files: readonly string[], { argumentsOf, programSeconds }: Selection): Promise<string> {
  const functions = await readFile(fileURLToPath(new URL("kernel-objects.sh", import.meta.url)), "utf8");
  const flags = (file: string) => ["--show-output", "--color=never", ...(argumentsOf(programName(file)) ?? [])].join(" ");
  return [functions, begin, ...files.map((file) => `program ${programSeconds} ${file} ${flags(file)}`)].join("\n");
}

/** The same programs under the kernel of this machine. */
export async function kernelObjectsHere(folder: string, selection: Selection, probed: (output: string) => void): Promise<TestResult[]> {
  const { built } = await (prepared.get(folder) ?? prepare(folder));
  const outcome = await run("bash", ["-c", await script("", built.tests, selection)], { timeoutMs: 30 * 60_000 });
  probed(outcome.output);
  return interpret(outcome.code === 0 ? outcome : { ...outcome, trouble: `ended with ${outcome.code}` }, built.tests);
}

/** The programs without their debug information, on a disk that is mounted where they lie on the host. */
async function prepare(folder: string): Promise<Prepared> {
  const built = await buildTests();
  const [first] = built.tests;
  if (first === undefined) throw new Error("there is no test program to run");
  // target/debug/deps/NAME-HASH and, for the programs that the tests start, target/debug/NAME
  const mountPoint = dirname(dirname(first));
  const staging = join(folder, "tests");
  await mkdir(join(staging, "deps"), { recursive: true });
  for (const file of [...built.tests, ...built.programs]) {
    const outcome = await run("strip", ["--strip-debug", "-o", join(staging, file.slice(mountPoint.length)), file]);
    if (outcome.code !== 0) throw new Error(`strip ${file}: ${tail(outcome.output)}`);
  }
  const image = join(folder, "tests.ext4");
  await diskFromFolder(staging, image, 1024);
  return { built, disk: { image, mountPoint } };
}
