import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseLibtest } from "../../runner/cargo.ts";
import { run, tail } from "../../runner/command.ts";
import type { TestResult } from "../../runner/result.ts";
import { type Disk, diskFromFolder } from "../guest/disk.ts";
import { type GuestOutcome, runGuest } from "../guest/guest.ts";
import { type BuiltTests, buildTests } from "./cargo-build.ts";
import type { Suite } from "./suite.ts";

/** One test program may take this long in a guest; then it counts as failed and the next one runs. */
const programTimeoutSeconds = 480;

/** `eth1` and `eth2` of the tests' node as hardware, and the VPC's ends (`tests/exclusive_nic.rs`). */
const cables = [
  ["00:16:3e:00:00:01", "00:16:3e:00:01:01"],
  ["00:16:3e:00:00:02", "00:16:3e:00:01:02"],
] as const;

/** What a brief run has: the modes, the programs under each verifier, real NICs, queues. */
const briefPrograms = new Set(
  ["probe", "mode_ipvlan", "mode_netkit", "mode_policy_route", "mode_vlan", "exclusive_nic", "eni_queues", "tag_filter"].concat([
    "eni_in",
    "eni_out",
    "ipvlan",
    "pins",
    "wire",
  ]),
);
/** Parts of names of tests that it leaves out. */
const briefSkips = ["_crashes", "_drift", "_dual_", "stopped_at", "two_interfaces"];

interface Prepared {
  readonly built: BuiltTests;
  readonly disk: Disk;
}

const prepared = new Map<string, Promise<Prepared>>();

/**
 * Suite a: the Rust tests that make real kernel objects (links, routes, rules, packets), the very programs that run on the host, under
 * another kernel. What a kernel cannot do the tests find out themselves and skip, as on any host.
 */
export const kernelObjects: Suite = async ({ kernel, userland, folder, brief, probed, say }) => {
  const shared = prepared.get(folder) ?? prepare(folder);
  prepared.set(folder, shared);
  const { built: all, disk } = await shared;
  const built = brief ? { ...all, tests: all.tests.filter((file) => briefPrograms.has(programName(file))) } : all;
  let done = 0;
  const outcome = await runGuest({
    kernel,
    userland,
    folder,
    disks: [disk],
    cables,
    command: script(built, brief ? briefSkips : []),
    commandTimeoutMs: 25 * 60_000,
    onLine: (line) => {
      if (/^test .* \.\.\. (ok|FAILED|ignored)/.test(line)) done += 1;
      if (line.startsWith("@program ")) say(`${programName(line.split(" ")[1] ?? "")} done, ${done} tests so far`);
      if (line.startsWith("guest ")) say(line);
    },
  });
  probed(outcome.output);
  return interpret(outcome, built).map((result) => ({ ...result, name: `${kernel.version} ${result.name}` }));
};

/** Results of one guest's output; a program or guest that did not come to its end is a failure of its own. */
export function interpret(outcome: Pick<GuestOutcome, "output" | "trouble">, built: Pick<BuiltTests, "tests">): TestResult[] {
  const results = parseLibtest(outcome.output.replaceAll(/^@program .*$/gm, ""));
  const codes = new Map([...outcome.output.matchAll(/^@program (\S+) (\d+)$/gm)].map(([, file, code]) => [file, Number(code)]));
  for (const file of built.tests) {
    const name = programName(file);
    const code = codes.get(file);
    const failed = results.some((result) => result.status === "failed" && result.name.startsWith(`${name}::`));
    if (code === 0 || (code !== undefined && failed)) continue;
    const reason =
      code === undefined
        ? `did not end: ${outcome.trouble ?? "no reason known"}`
        : code === 124
          ? `not done after ${programTimeoutSeconds} s`
          : `ended with ${code} and named no failed test`;
    results.push({ name, status: "failed", reason: `${reason}\n${tail(outcome.output, 20)}` });
  }
  return results;
}

/** `lifecycle` of `/…/deps/lifecycle-00ff`. */
function programName(file: string): string {
  return basename(file).replace(/-[0-9a-f]+$/, "");
}

function script({ tests }: BuiltTests, skips: readonly string[]): string {
  const flags = ["--show-output", "--color=never", ...skips.flatMap((part) => ["--skip", part])].join(" ");
  const each = tests.map((file) => {
    const run = `RUST_BACKTRACE=1 timeout --kill-after=5 ${programTimeoutSeconds} ${file} ${flags}`;
    return `echo "Running ${basename(file)} (${file})"\n${run}\necho "@program ${file} $?"\n`;
  });
  return `cd /tmp\nmodprobe virtio_net\n${each.join("")}`;
}

/** The same programs under the kernel of this machine. */
export async function kernelObjectsHere(folder: string, probed: (output: string) => void): Promise<TestResult[]> {
  const { built } = await (prepared.get(folder) ?? prepare(folder));
  const outcome = await run("bash", ["-c", script(built, []).replaceAll("modprobe virtio_net", ":")], { timeoutMs: 30 * 60_000 });
  probed(outcome.output);
  return interpret(outcome.code === 0 ? outcome : { ...outcome, trouble: `ended with ${outcome.code}` }, built);
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
