import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { tail } from "../../runner/command.ts";
import type { Kernel } from "./artifacts.ts";
import { ConsoleReader } from "./console.ts";
import type { Disk } from "./disk.ts";
import { buildInitramfs, type MountLine } from "./initramfs.ts";
import { KernelLine } from "./sysrq.ts";

/** QEMU's file descriptor of the guest's first serial line: the kernel's console. */
const kernelLine = 3;

export interface GuestSpec {
  readonly kernel: Kernel;
  /** ext4 image of the root file system. The guest may write to it; the image stays as it is. */
  readonly userland: string;
  readonly disks?: readonly Disk[];
  /** Where the files of this boot are put; they go away with it. On a real disk: what the guest writes lies there. */
  readonly folder: string;
  /** bash script, run as root in a cgroup of its own below system.slice. */
  readonly command: string;
  /** Network cables: the MACs of the two virtio NICs at the ends of each. Both NICs are the guest's. */
  readonly cables?: readonly (readonly [string, string])[];
  readonly memoryMiB?: number;
  /** One processor whose clock counts instructions, a nanosecond for each: what takes time in the guest is then the same on every machine. */
  readonly countInstructions?: boolean;
  /** From the end of the boot. An emulated processor is 20 to 100 times slower than a real one. */
  readonly commandTimeoutMs: number;
  readonly bootTimeoutMs?: number;
  /** The command writes a line at least this often; a guest that is silent for longer counts as stuck. */
  readonly silenceTimeoutMs?: number;
  readonly onLine?: (line: string) => void;
}

export interface GuestOutcome {
  /** Exit status of the command. Absent: it did not come to its end; `trouble` says why. */
  readonly exitCode?: number;
  readonly trouble?: string;
  /** The guest itself makes no progress (it said so by `@guest stuck`, or was silent too long): why, and what its tasks wait for. */
  readonly stuck?: string;
  /** Standard output and standard error of the command. */
  readonly output: string;
  /** What the kernel said, its warnings above all. */
  readonly kernelLog: string;
  /** Starts it took: 2 when the first never reached userland. */
  readonly starts: number;
  readonly bootMs: number;
  readonly commandMs: number;
}

/**
 * Boots a guest, runs the command, ends the guest. QEMU emulates the processor (`thread=single`: with a thread per processor one
 * boot in three failed). A boot that never reaches userland is tried once more, and `starts` says so; a command is never run twice.
 */
export async function runGuest(spec: GuestSpec): Promise<GuestOutcome> {
  const first = await boot(spec);
  if (first.reached) return { ...first.outcome, starts: 1 };
  spec.onLine?.(`guest ${spec.kernel.version}: ${first.outcome.trouble}; starting it once more`);
  const second = await boot(spec);
  return { ...second.outcome, starts: 2 };
}

interface Boot {
  readonly reached: boolean;
  readonly outcome: Omit<GuestOutcome, "starts">;
}

async function boot(spec: GuestSpec): Promise<Boot> {
  const folder = await mkdtemp(join(spec.folder, "guest-"));
  try {
    const disks = [
      { image: spec.userland, mountPoint: "/", options: "rw,noatime", qemu: "snapshot=on" },
      { image: spec.kernel.modulesDisk, mountPoint: "/lib/modules", options: "ro", qemu: "readonly=on" },
      ...(spec.disks ?? []).map(({ image, mountPoint }) => ({ image, mountPoint, options: "ro", qemu: "readonly=on" })),
    ];
    const mounts = disks.map((disk, index): MountLine => ({ ...disk, device: `/dev/vd${String.fromCharCode(97 + index)}` }));
    const initramfs = await buildInitramfs(spec.kernel, folder, mounts, spec.command);
    const args = [
      ...["-accel", "tcg,thread=single", "-cpu", "max", "-m", String(spec.memoryMiB ?? 1024)],
      ...(spec.countInstructions ? ["-smp", "1", "-icount", "shift=0,sleep=off"] : ["-smp", "2"]),
      ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
      // mux: what is written to it may hold a break (sysrq.ts).
      ...["-chardev", `socket,id=kernel,fd=${kernelLine},mux=on`, "-serial", "chardev:kernel", "-serial", "stdio"],
      ...["-kernel", spec.kernel.image, "-initrd", initramfs],
      // no_timer_check: on a busy machine the emulated timer comes too late for the test of it, and the kernel panics.
      ...[
        "-append",
        "console=ttyS0 quiet loglevel=5 panic=-1 mitigations=off tsc=unstable no_timer_check random.trust_cpu=on cgroup_no_v1=all sysrq_always_enabled",
      ],
      ...disks.flatMap((disk) => ["-drive", `file=${disk.image},format=raw,if=virtio,${disk.qemu}`]),
      ...(spec.cables ?? []).flatMap((macs, hub) => macs.flatMap((mac) => nic(mac, hub))),
    ];
    return await watch(spec, args, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A NIC on a hub of QEMU's: what it sends reaches the others there, and nothing else. No ROM: nobody boots from it. */
function nic(mac: string, hub: number): string[] {
  const id = `nic${mac.replaceAll(":", "")}`;
  return ["-netdev", `hubport,id=${id},hubid=${hub}`, "-device", `virtio-net-pci,netdev=${id},mac=${mac},romfile=`];
}

/** Starts QEMU and waits until it is off, or ends it when one of the times is up. */
async function watch(spec: GuestSpec, args: readonly string[], folder: string): Promise<Boot> {
  const started = performance.now();
  const lines: string[] = [];
  // setpriv: it goes with this process, however that ends. Temporary images of `snapshot=on` belong beside the others, not into a /tmp that
  // may be in memory.
  const program = ["--pdeathsig", "KILL", "qemu-system-x86_64", ...args];
  const qemu = spawn("setpriv", program, { stdio: ["ignore", "pipe", "pipe", "pipe"], env: { ...process.env, TMPDIR: folder } });
  const { stdout, stderr } = qemu;
  const serial = qemu.stdio[kernelLine];
  if (stdout === null || stderr === null || !(serial instanceof Socket)) throw new Error("QEMU has no lines to this process");
  const kernel = new KernelLine(serial);
  // What a guest writes goes with it; there is nothing for QEMU to wind up.
  const end = () => qemu.kill("SIGKILL");
  process.once("exit", end);

  let bootMs = 0;
  let late: string | undefined;
  let stuck: string | undefined;
  const limit = (ms: number, what: string) =>
    setTimeout(() => {
      late ??= `${what} after ${Math.round(ms / 1000)} s`;
      end();
    }, ms);
  let timer = limit(spec.bootTimeoutMs ?? 90_000, "userland was not reached");
  let silence: NodeJS.Timeout | undefined;
  const giveUp = (why: string) => {
    if (late !== undefined) return;
    late = why;
    void kernel.askForTasks().then((tasks) => {
      stuck = `${why}\n${tasks}`;
      end();
    });
  };
  const reader = new ConsoleReader((line) => {
    lines.push(line);
    spec.onLine?.(line);
    silence?.refresh();
  });
  stdout.setEncoding("utf8").on("data", (text: string) => {
    reader.write(text);
    if (reader.progress.ended !== undefined) end();
    if (reader.progress.stuck !== undefined) giveUp(`the guest is stuck: ${reader.progress.stuck}`);
    if (bootMs !== 0 || reader.progress.up === undefined) return;
    bootMs = performance.now() - started;
    clearTimeout(timer);
    timer = limit(spec.commandTimeoutMs, "the command was not done");
    const { silenceTimeoutMs: ms } = spec;
    if (ms !== undefined) silence = setTimeout(() => giveUp(`the guest was silent for ${Math.round(ms / 1000)} s`), ms);
  });
  let complaint = "";
  stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    qemu.on("error", reject);
    qemu.on("close", resolve);
  }).finally(() => {
    clearTimeout(timer);
    clearTimeout(silence);
    process.off("exit", end);
  });
  reader.end();

  const { up, ended } = reader.progress;
  const exitCode = ended?.kind === "exit" ? ended.code : undefined;
  const trouble =
    exitCode === undefined ? [late ?? reasonOf(ended, code), complaint.trim(), tail(kernel.log, 15)].filter(Boolean).join("\n") : undefined;
  return {
    reached: up !== undefined,
    outcome: {
      output: lines.join("\n"),
      kernelLog: kernel.log,
      bootMs,
      commandMs: bootMs === 0 ? 0 : performance.now() - started - bootMs,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(trouble === undefined ? {} : { trouble }),
      ...(stuck === undefined ? {} : { stuck }),
    },
  };
}

function reasonOf(ended: { kind: string } | undefined, code: number | null): string {
  return ended === undefined ? `the guest went off by itself (QEMU's exit status ${code})` : "the guest's start script ended early";
}
