import { type EventList, eventListSchema } from "@terway/model";
import { ask } from "../client.ts";
import { json, type Output, paint, table } from "../output.ts";

/** The daemon's last events, oldest first. */
export async function events(socket: string, output: Output): Promise<number> {
  const answer: EventList = await ask(socket, "/events", eventListSchema);
  if (output.json) json(output, answer);
  else
    table(
      output,
      ["TIME", "TYPE", "REASON", "SUBJECT", "COUNT", "MESSAGE"],
      answer.events.map((one) => [
        new Date(one.atMs).toISOString(),
        one.type === "Warning" ? paint(output, "yellow", one.type) : one.type,
        one.reason,
        one.subject,
        String(one.count),
        one.message,
      ]),
    );
  return 0;
}
