import { type DoctorFinding, doctorSchema } from "@terway/model";
import { ask } from "../client.ts";
import { json, type Output, paint } from "../output.ts";

const colours = { ok: "green", info: "dim", warn: "yellow", fail: "red" } as const;

/** What is wrong on this node and what to do; true when nothing is that needs anybody. */
export async function doctor(socket: string, output: Output): Promise<boolean> {
  const { findings } = await ask(socket, "/doctor", doctorSchema);
  if (output.json) json(output, findings);
  else for (const finding of findings) output.write(line(finding, output));
  return findings.every(({ level }) => level !== "fail");
}

function line({ area, level, what, next }: DoctorFinding, output: Output): string {
  const advice = next === undefined ? "" : `\n      → ${next}`;
  return `${paint(output, colours[level], level.toUpperCase().padEnd(4))}  ${area}: ${what}${advice}\n`;
}
