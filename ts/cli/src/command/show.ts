import { type ResourceView, resourceListSchema, resourceViewSchema } from "@terway/model";
import { ask } from "../client.ts";
import { json, type Output, paint, table } from "../output.ts";

/** Configuration and state of one resource; without a name, of each one of the type. */
export async function show(socket: string, type: string, name: string | undefined, output: Output): Promise<number> {
  const names =
    name === undefined
      ? (await ask(socket, `/resources/${encodeURIComponent(type)}`, resourceListSchema)).resources.map((one) => one.name)
      : [name];
  const views: ResourceView[] = [];
  for (const one of names) {
    views.push(await ask(socket, `/resources/${encodeURIComponent(type)}/${encodeURIComponent(one)}`, resourceViewSchema));
  }
  if (output.json) {
    json(output, name === undefined ? views : views[0]);
    return 0;
  }
  for (const view of views) {
    output.write(`${paint(output, "bold", `${view.type}/${view.name}`)}\n`);
    section(output, "config", view.config);
    section(output, "trace", view.trace);
    if (view.commands.length > 0) output.write(`commands: ${view.commands.join(", ")}\n`);
  }
  return 0;
}

function section(output: Output, title: string, entries: readonly { key: string; value: string }[]): void {
  if (entries.length === 0) return;
  table(
    output,
    [title.toUpperCase(), ""],
    entries.map(({ key, value }) => [`  ${key}`, value]),
  );
}
