/** What a guest has told on its second serial line so far. */
export interface GuestProgress {
  /** Userland is reached: seconds since the kernel started, by the guest's clock, and the kernel's release. */
  up?: { readonly uptime: number; readonly release: string };
  /** The command has found that the machine makes no progress: in its own words. The host ends it. */
  stuck?: string;
  /** The command has ended. `died`: the script around it has. */
  ended?: { readonly kind: "exit"; readonly code: number; readonly uptime: number } | { readonly kind: "died" };
}

/** Cuts the line into lines, takes those apart that test/vm/guest/start.sh addresses to the host, and hands on the rest. */
export class ConsoleReader {
  readonly progress: GuestProgress = {};
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#take(line.replaceAll("\r", ""));
  }

  /** The guest is off: what stands there without a line end is a line, too. */
  end(): void {
    if (this.#rest !== "") this.write("\n");
  }

  #take(line: string): void {
    // A command that ends without a line end has the message stand behind its last words.
    const at = line.lastIndexOf("@guest ");
    const words = at < 0 ? "" : line.slice(at + "@guest ".length);
    const [kind, first, second] = words.split(" ");
    if (kind === "up") this.progress.up = { uptime: Number(first), release: second ?? "" };
    else if (kind === "exit") this.progress.ended = { kind, code: Number(first), uptime: Number(second) };
    else if (kind === "stuck") this.progress.stuck = words.slice("stuck ".length);
    else if (kind === "died") this.progress.ended = { kind };
    else {
      this.#onLine(line);
      return;
    }
    if (at > 0) this.#onLine(line.slice(0, at));
  }
}
