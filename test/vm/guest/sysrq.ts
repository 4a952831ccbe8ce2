import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { tail } from "../../runner/command.ts";

/** QEMU's multiplexer takes Ctrl-A B for a break on the line; the kernel takes the character after a break for its own (magic SysRq). */
const sysRq = (key: string) => `\u0001b${key}`;

/** Everything to the console; blocked tasks and where they wait; what each processor does. */
const questions = ["9", "w", "l"];

/** Of a stack only the calls say anything here. */
const registers = /\b(?:R[ABD0-9]\w|RSP|Code): |\] {2}\? /;

/** A kernel whose interrupts still work answers within a second, on the busiest machine within some. */
const answerMs = 4_000;

/** The kernel's console: its log, and a way to ask a kernel whose userland stands still. */
export class KernelLine {
  log = "";
  readonly #serial: Socket;

  constructor(serial: Socket) {
    this.#serial = serial;
    serial.setEncoding("utf8").on("data", (text: string) => {
      this.log += text.replaceAll("\r", "");
    });
    // The other end goes away with QEMU, whose exit says all there is to say.
    serial.on("error", () => {});
  }

  /** The kernel's last words, then what it answers: the stacks of blocked tasks above all. */
  async askForTasks(): Promise<string> {
    const before = this.log.length;
    for (const key of questions) {
      this.#serial.write(sysRq(key));
      await wait(answerMs);
    }
    const answer = this.log.slice(before).trimEnd();
    return [
      tail(this.log.slice(0, before), 15),
      answer === "" ? "the kernel does not answer on its console" : answer.split("\n").filter((line) => !registers.test(line)),
    ]
      .flat()
      .join("\n");
  }
}
