import Table from "cli-table3";

/** Where a command writes, and how: tables for people, JSON for programs. */
export interface Output {
  readonly json: boolean;
  readonly colour: boolean;
  write(text: string): void;
}

type Colour = "red" | "green" | "yellow" | "dim" | "bold";
const codes: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 };

export function paint(output: Output, colour: Colour, text: string): string {
  return output.colour ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
}

/** Columns aligned by spaces, without lines: readable by people, and by `awk` too. */
export function table(output: Output, head: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return;
  const none = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
    "bottom-right": "",
  };
  const drawn = new Table({
    head: head.map((title) => paint(output, "bold", title)),
    chars: { ...none, left: "", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  drawn.push(...rows.map((row) => [...row]));
  output.write(
    `${drawn
      .toString()
      .split("\n")
      .map((line) => line.trimEnd())
      .join("\n")}\n`,
  );
}

export function json(output: Output, value: unknown): void {
  output.write(`${JSON.stringify(value, null, 2)}\n`);
}
