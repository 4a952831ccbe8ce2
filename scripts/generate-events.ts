import { type EventReasonInfo, eventReasons } from "@terway/model";
import { code, generatedBy, table } from "./generate-markdown.ts";

export function eventsPage(): string {
  const all: [string, EventReasonInfo][] = Object.entries(eventReasons);
  const row = ([reason, { type, on, formerly, meaning }]: [string, EventReasonInfo]) => [
    code(reason),
    type,
    on,
    formerly === undefined ? "" : code(formerly),
    meaning,
  ];
  const columns = ["reason", "type", "on", "formerly", "meaning"];
  return `${generatedBy("ts/model/src/events.ts")}

# Events

What \`kubectl describe\` shows of a pod's or node's network. Reasons are those of Terway. A reason that was renamed is written under its present name, and
its message ends with the former one, so that searches for either find it. Equal events of ten minutes are one with a count; an object that has too much to
say (25 at once, then one in five minutes) is not heard. \`terway-cli events\` shows what the daemon said last, also where no API server is.

${table(columns, all.filter(([, info]) => info.ours !== true).map(row))}

Told to \`terway-cli events\` only, because Terway has no such reasons:

${table(columns, all.filter(([, info]) => info.ours === true).map(row))}
`;
}
