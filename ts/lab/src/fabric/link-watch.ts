import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { inNetNamespace } from "../host/netns.ts";

/** Tells when an interface of a network namespace vanishes, by `ip monitor`, which ends with this process. */
export class LinkWatch {
  readonly #child: ChildProcess;

  constructor(netns: string, gone: (name: string) => void) {
    const [file = "", ...args] = inNetNamespace(netns, ["setpriv", "--pdeathsig", "KILL", "ip", "-oneline", "monitor", "link"]);
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
    createInterface({ input: child.stdout }).on("line", (line) => {
      const name = /^Deleted \d+: ([^@:]+)[@:]/.exec(line)?.[1];
      if (name !== undefined) gone(name);
    });
    this.#child = child;
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}
