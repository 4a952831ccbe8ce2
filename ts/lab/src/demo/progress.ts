export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * One line per step, with the time it took. On a terminal the line is there, with a clock, while the step runs; elsewhere it is written when the
 * step has ended, without colour.
 */
export class Progress {
  readonly #output: Output;
  readonly #terminal: boolean;

  constructor(output: Output) {
    this.#output = output;
    this.#terminal = output.isTTY === true;
  }

  async step<T>(name: string, task: (note: (text: string) => void) => Promise<T>): Promise<T> {
    const started = performance.now();
    let note = "";
    const line = (mark: string) => `  ${mark}${name.padEnd(50)} ${seconds(performance.now() - started)}${note === "" ? "" : `  ${note}`}`;
    const draw = () => this.#output.write(`\r\x1b[K${line("")}`);
    const ticker = this.#terminal ? setInterval(draw, 100) : undefined;
    if (this.#terminal) draw();
    const end = (text: string) => {
      clearInterval(ticker);
      this.#output.write(this.#terminal ? `\r\x1b[K${text}\n` : `${text}\n`);
    };
    try {
      const result = await task((text) => {
        note = text;
      });
      end(line(""));
      return result;
    } catch (error) {
      end(line(this.#terminal ? "\x1b[31mFAILED\x1b[0m " : "FAILED "));
      throw error;
    }
  }

  /** A title or a table between the steps. */
  say(text: string): void {
    this.#output.write(`${text}\n`);
  }
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1).padStart(6)} s`;
}
