import { type ResourceList, resourceListSchema } from "@terway/model";
import { ask } from "../client.ts";
import { json, type Output, table } from "../output.ts";

/** Types of resource, or the resources of one type. */
export async function list(socket: string, type: string | undefined, output: Output): Promise<number> {
  const path = type === undefined ? "/resources" : `/resources/${encodeURIComponent(type)}`;
  const answer: ResourceList = await ask(socket, path, resourceListSchema);
  if (output.json) json(output, answer);
  else
    table(
      output,
      ["TYPE", "NAME"],
      answer.resources.map((one) => [one.type, one.name]),
    );
  return 0;
}
