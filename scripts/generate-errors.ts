import { type ErrorArea, errorCatalogue } from "@terway/model";
import { code, generatedBy, table } from "./generate-markdown.ts";

const areas: Readonly<Record<ErrorArea, readonly [title: string, text: string]>> = {
  protocol: ["CNI protocol", "Codes of the CNI specification and of libcni."],
  configuration: ["Configuration", "Findings in `eni_conf` and in the network configuration; all are reported at once, with their paths."],
  cloud: [
    "Cloud",
    "The message holds the cloud's real code, the name that other documents use, the object and the request id. Case does not count, and a code stands for its dotted extensions (`Throttling.User`). Code 11 means that the runtime's next try may succeed.",
  ],
  pool: ["Address pool", "Limits of the node itself."],
  datapath: ["Datapath", "The kernel side of an attachment."],
  daemon: ["Daemon", "Everything else."],
};

/** Who may try again, by class; the same words as `CloudErrorClass` in ts/model/src/cloud.ts. */
const classes: readonly (readonly [name: string, retry: string])[] = [
  ["exhausted", "another vSwitch at once; this one after a rest"],
  ["quota", "after something was released"],
  ["throttled", "the same call, after the gate's delay"],
  ["denied", "nobody, until a person changes something; probed slowly"],
  ["conflict", "after reading the object again"],
  ["gone", "never with this name; removal counts as done"],
  ["invalid", "never unchanged"],
  ["transient", "the same call"],
  ["unknown", "after reading the object again, or with the same client token"],
  ["degraded", "when the gate opens"],
];

export function errorsPage(): string {
  // The record is closed, Object.keys forgets it.
  const sections = (Object.keys(areas) as ErrorArea[]).map((area) => {
    const [title, text] = areas[area];
    const entries = errorCatalogue.filter((entry) => entry.area === area);
    const cloud = area === "cloud";
    const rows = entries.map((entry) => [
      code(entry.id),
      entry.cniCode === undefined ? "" : String(entry.cniCode),
      ...(cloud ? [entry.class ?? "", (entry.codes ?? []).map(code).join(", "), (entry.documentNames ?? []).map(code).join(", ")] : []),
      entry.meaning.replace("{resource}", "*resource*"),
      entry.next,
    ]);
    const head = ["error", "CNI code", ...(cloud ? ["class", "codes of the cloud", "in the documents"] : []), "meaning", "next step"];
    return `## ${title}\n\n${text}\n\n${table(head, rows)}`;
  });
  return `${generatedBy("ts/model/src/error-catalogue.ts")}

# Errors

Everything that can go wrong in a way that somebody foresaw, with what to do about it. The codes of the CNI error object are those of the
specification where it has one; 100 and above are this plugin's.

## Classes of cloud errors

${table(
  ["class", "who may try again"],
  classes.map(([name, retry]) => [code(name), retry]),
)}

${sections.join("\n\n")}
`;
}
