import { type ExecuteRequest, executeResultSchema } from "@terway/model";
import { ask } from "../client.ts";
import { json, type Output } from "../output.ts";

/** Runs a command of a resource; `show` lists them. 1 when the command found something wrong. */
export async function execute(socket: string, request: ExecuteRequest, output: Output): Promise<number> {
  const answer = await ask(socket, "/execute", executeResultSchema, request);
  if (output.json) json(output, answer);
  else for (const line of answer.lines) output.write(`${line}\n`);
  return answer.ok ? 0 : 1;
}
