import type { Case } from "./case.ts";
import { cases } from "./index.ts";

/** One or two of each group. */
const names = [
  "no policies",
  "deny both",
  "Ingress: a peer gets the label and loses it",
  "Egress: a namespace gets the label and loses it",
  "Egress: pod b of namespaces in y, z; every port",
  "Ingress: every address except one pod's; every port",
  "Egress: everybody; TCP by a name that differs from pod to pod",
  "Ingress: everybody; SCTP 1 to 80",
  "egress: a peer with one port, another with another",
  "both sides allow another port: together, then the first goes",
  "Ingress: another policy allows what an exception leaves out",
];

/** Throws when the table has no case of that name. */
export function named(name: string): Case {
  const found = cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`the table has no case ${name}`);
  return found;
}

/** What `npm test` runs, and what an emulated processor has done in minutes. */
export const sliceCases: readonly Case[] = names.map(named);
