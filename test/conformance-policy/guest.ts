import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory, fetchArtifacts, type KernelVersion, kernel, missingHostPackages, userland } from "../vm/guest/artifacts.ts";
import { runGuest } from "../vm/guest/guest.ts";
import { guestEnvironment, repositoryDisks, repositoryRoot } from "../vm/suite/repository.ts";

/** An emulated processor is 20 to 100 times slower than a real one. */
const commandMs = 3 * 60 * 60_000;
/** A case, and the lab before the first of them, may take this long there, most of all beside other work. */
const silenceMs = 30 * 60_000;

/** Runs the table with these arguments under another kernel, handing each line of its output on. Answers its exit status. */
export async function runInGuest(version: KernelVersion, args: readonly string[], onLine: (line: string) => void): Promise<number> {
  const missing = await missingHostPackages();
  if (missing.length > 0) throw new Error(`this machine lacks what guests need; apt-get install ${missing.join(" ")}`);
  await fetchArtifacts();
  const folder = await mkdtemp(join(cacheDirectory(), `vm-run-${process.pid}-`));
  try {
    const quoted = args.map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`);
    const { exitCode, trouble, kernelLog } = await runGuest({
      kernel: await kernel(version),
      userland: await userland(),
      folder,
      disks: await repositoryDisks(folder),
      memoryMiB: 3072,
      command: [...guestEnvironment, `cd ${repositoryRoot}`, `node test/conformance-policy/main.ts ${quoted.join(" ")}`].join("\n"),
      commandTimeoutMs: commandMs,
      silenceTimeoutMs: silenceMs,
      onLine,
    });
    if (exitCode === undefined) throw new Error(`the guest did not end: ${trouble}\n${kernelLog.slice(-4_000)}`);
    return exitCode;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
