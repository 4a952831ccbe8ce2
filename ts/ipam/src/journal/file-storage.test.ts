import { execFileSync, fork, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@terway/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openFileStorage } from "./file-storage.ts";
import { Journal } from "./journal.ts";
import { JournalLockedError } from "./lock.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "terway-journal-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function open(lockWaitMs = 0) {
  const storage = await openFileStorage({ directory, clock: systemClock, lockWaitMs });
  return Journal.open({ storage, clock: systemClock, instanceId: "i-1" });
}

const fixture = join(import.meta.dirname, "../testing/journal-process.ts");

/** A process that holds the journal; `line` waits for what it says next. */
function holder(...args: readonly string[]) {
  const child = fork(fixture, [directory, ...args], { execArgv: [], silent: true });
  const line = () => new Promise<string>((resolve) => child.once("message", (message) => resolve(String(message))));
  return { child, line };
}

describe("journal in files", () => {
  it("keeps what was committed, readable by root only, and leaves no other files than its own", async () => {
    const first = await open();
    await first.commit([{ t: "rest", addresses: ["10.0.1.1"], rest: { wallMs: 1, monotonicMs: 2 } }]);
    await first.close();
    const second = await open();
    expect(second.ledger.resting.has("10.0.1.1")).toBe(true);
    await second.close();
    expect(statSync(join(directory, "journal")).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).sort()).toEqual(["holder.json", "journal", "lock"]);
  });

  it("sets a damaged tail aside into a file", async () => {
    await (await open()).close();
    const whole = readFileSync(join(directory, "journal"));
    writeFileSync(join(directory, "journal"), Buffer.concat([whole, Buffer.from("torn")]));
    const journal = await open();
    expect(journal.repaired).toBe(true);
    await journal.close();
    const aside = readdirSync(directory).filter((name) => name.startsWith("damaged-"));
    expect(aside.map((name) => readFileSync(join(directory, name), "utf8"))).toEqual(["torn"]);
    expect(readFileSync(join(directory, "journal"))).toEqual(whole);
  });

  it("forgets a snapshot that was not finished", async () => {
    writeFileSync(join(directory, "journal.tmp"), "half");
    await (await open()).close();
    expect(readdirSync(directory)).not.toContain("journal.tmp");
  });

  it("is refused while another process holds it, naming that process", async () => {
    const { child, line } = holder("hold");
    expect(await line()).toBe("open");
    const refused = await open().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(JournalLockedError);
    expect(String(refused)).toContain(`is in use by process ${child.pid}`);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    await (await open()).close();
  });

  it("is refused a second time within one process", async () => {
    const journal = await open();
    await expect(open()).rejects.toThrow(`process ${process.pid}`);
    await journal.close();
    await (await open()).close();
  });

  it("waits for an older daemon to go (rolling update)", async () => {
    const { child, line } = holder("hold");
    expect(await line()).toBe("open");
    const next = open(10_000);
    child.kill("SIGKILL");
    await (await next).close();
  });

  it("takes back what a write left that the disk cut short, and goes on when there is space", async () => {
    // RLIMIT_FSIZE stands for the full disk: the write that crosses it is cut short, the next one fails (EFBIG). Ignoring SIGXFSZ is inherited.
    const child = spawn("bash", ["-c", 'trap "" XFSZ; ulimit -S -f 4; exec "$0" "$@"', process.execPath, fixture, directory, "fill"], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const messages: string[] = [];
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.on("message", (message) => {
      messages.push(String(message));
      // The disk is freed.
      if (String(message).startsWith("refused")) {
        execFileSync("prlimit", ["--pid", String(child.pid), "--fsize=unlimited:unlimited"]);
        child.send("go on");
      }
    });
    await ended;
    const [, refused = "", kept = ""] = messages;
    expect(refused).toMatch(/^refused: the journal .* cannot be written \(EFBIG\)/);
    const journal = await open();
    expect(journal.repaired).toBe(false);
    expect([...journal.ledger.resting.keys()]).toEqual(JSON.parse(kept));
    await journal.close();
  });
});
