import type { DatapathErrorCode } from "./attachment.ts";
import type { CloudErrorClass } from "./cloud.ts";
import { type CloudErrorEntry, cloudErrorTable } from "./cloud-error-table.ts";
import { cniCode } from "./cni.ts";
import { cniCodeOfDatapath, cniCodeOfProblem, ownCniErrors } from "./cni-error.ts";
import type { ConfigIssue } from "./config-issue.ts";
import type { PoolProblem } from "./lease.ts";

/** Where an error comes from. */
export type ErrorArea = "protocol" | "configuration" | "cloud" | "pool" | "datapath" | "daemon";

/** One error that people and programs can meet. The list is closed: what is not in it is a bug. */
export interface CatalogueEntry {
  readonly area: ErrorArea;
  /** Stable. */
  readonly id: string;
  /** Code of the CNI error object; absent where the error never reaches a runtime. */
  readonly cniCode?: number;
  /** Sentence; `{resource}` stands for the object that the message names. */
  readonly meaning: string;
  /** What a person does about it. */
  readonly next: string;
  /** Of cloud errors: who may try again, and when. */
  readonly class?: CloudErrorClass;
  /** Codes as the cloud writes them, and names that the documents use. */
  readonly codes?: readonly string[];
  readonly documentNames?: readonly string[];
}

const nothing = "Nothing to do: it is tried again.";
const report = "Report it with the log of the daemon.";

/** Codes of the specification 1.1.0 and of libcni, as the executable and the daemon use them. Ids are the constants of crates/cni/src/code.rs. */
const protocol: readonly Omit<CatalogueEntry, "area">[] = [
  {
    id: "INCOMPATIBLE_VERSION",
    cniCode: cniCode.incompatibleVersion,
    meaning: "`cniVersion` of the configuration is not supported, or too old for the verb.",
    next: "Use a version from 0.3.0 to 1.1.0.",
  },
  {
    id: "UNKNOWN_CONTAINER",
    cniCode: cniCode.unknownContainer,
    meaning: "CHECK: this container has no address here.",
    next: "Nothing to do: the runtime makes a new sandbox.",
  },
  {
    id: "INVALID_ENVIRONMENT",
    cniCode: cniCode.invalidEnvironment,
    meaning: "The environment does not describe a possible call; the message names the variable.",
    next: "Look at the runtime that makes the call.",
  },
  {
    id: "IO_FAILURE",
    cniCode: cniCode.ioFailure,
    meaning: "Standard input cannot be read, a tombstone cannot be written, or objects cannot be removed.",
    next: "Look at disk and file system of the node.",
  },
  {
    id: "DECODE_FAILURE",
    cniCode: cniCode.decodeFailure,
    meaning: "Standard input is not the JSON that it must be.",
    next: "Correct the file in /etc/cni/net.d.",
  },
  {
    id: "INVALID_CONFIG",
    cniCode: cniCode.invalidConfig,
    meaning: "The network configuration lacks a field or holds an impossible value; the message names every path.",
    next: "Correct `10-terway.conf` in the ConfigMap, or the file in /etc/cni/net.d.",
  },
  {
    id: "INVALID_NETNS",
    cniCode: 8,
    meaning: "`CNI_NETNS` is the namespace that the executable itself runs in.",
    next: "Look at the runtime that makes the call.",
  },
  {
    id: "TRY_AGAIN_LATER",
    cniCode: cniCode.tryAgainLater,
    meaning: "A condition that passes: the daemon gave no answer in time, or waits for the cloud.",
    next: "Nothing to do: the runtime calls again. When it lasts, look at the daemon's log.",
  },
  {
    id: "CANNOT_SERVE_ADD",
    cniCode: cniCode.cannotServeAdd,
    meaning: "STATUS: no ADD can be served now; the message says why.",
    next: "As the message says.",
  },
  { id: "INTERNAL", cniCode: 999, meaning: "A bug in the executable or the daemon.", next: report },
];

const datapath: Readonly<Record<DatapathErrorCode, { readonly meaning: string; readonly next: string }>> = {
  netns_gone: {
    meaning: "The pod's network namespace does not exist (any more).",
    next: "Nothing to do: the runtime makes a new sandbox.",
  },
  interface_exists: {
    meaning: "The pod has an interface of this name that is not ours.",
    next: "Look at other plugins in the conflist that make the same interface.",
  },
  eni_not_found: {
    meaning: ownCniErrors.eniMissing.meaning,
    next: "Look whether the ENI is attached in the console and its driver is bound in the guest; the attachment is tried again.",
  },
  invalid_attachment: { meaning: "The daemon asked for something impossible.", next: report },
  deadline: { meaning: "The kernel did not do it within the time the caller waits.", next: nothing },
  kernel: { meaning: ownCniErrors.kernelRefused.meaning, next: "Look at the object and errno in the message, and at dmesg." },
  full: {
    meaning: "A table of the kernel programs has no room; what it had stays in force.",
    next: "Join policies that say the same, or use fewer address blocks and ports; the log names the set and the table.",
  },
  unsupported: { meaning: ownCniErrors.kernelUnsupported.meaning, next: "Use a kernel ≥ 5.10 with the modules of docs/guides." },
};

const configuration: Readonly<Record<ConfigIssue["code"], { readonly meaning: string; readonly next: string; readonly stops: boolean }>> = {
  syntax: { stops: true, meaning: "The text is no JSON; line and column are named.", next: "Correct it there." },
  type: { stops: true, meaning: "A value has the wrong type.", next: "Correct it; docs/reference/eni-conf.md has the types." },
  value: { stops: true, meaning: "A value is impossible.", next: "Correct it; docs/reference/eni-conf.md has the ranges." },
  conflict: { stops: true, meaning: "Keys that are right by themselves contradict each other.", next: "Change one of them." },
  unknown_key: { stops: false, meaning: "A key is not known and is ignored.", next: "Correct its spelling, or remove it." },
  duplicate_key: { stops: false, meaning: "A key stands more than once; the last one counts.", next: "Remove the others." },
  not_implemented: { stops: false, meaning: "A key is known, but does nothing yet.", next: "Do not rely on it." },
  ignored: { stops: false, meaning: "A key is accepted for compatibility and has no effect.", next: "Remove it." },
  synonym: { stops: false, meaning: "A key is read as another one.", next: "Write the other one." },
  overridden: {
    stops: false,
    meaning: "Two keys or files disagree; the message says which one counts.",
    next: "Make them equal, or remove one.",
  },
  unsupported: {
    stops: false,
    meaning: "The node's kernel cannot do what a key asks for.",
    next: "Use a newer node image, or remove the key.",
  },
  pending: {
    stops: false,
    meaning: "A change waits, because pods on the node live by what stood there before.",
    next: "Drain the node and restart terwayd.",
  },
};

type PoolClass = Exclude<PoolProblem["class"], CloudErrorClass>;
const pool: Readonly<Record<PoolClass, { readonly meaning: string; readonly next: string }>> = {
  full: { meaning: ownCniErrors.nodeFull.meaning, next: "Run fewer pods here, raise `max_eni`, or use a larger instance type." },
  journal: { meaning: ownCniErrors.journalFailed.meaning, next: "Look at disk space and file system of the state directory." },
};

export const errorCatalogue: readonly CatalogueEntry[] = [
  ...protocol.map((entry): CatalogueEntry => ({ area: "protocol", ...entry })),
  ...Object.entries(configuration).map(
    ([id, { meaning, next, stops }]): CatalogueEntry => ({
      area: "configuration",
      id,
      meaning: `${meaning} ${stops ? "The daemon does not start." : "A warning."}`,
      next,
    }),
  ),
  ...cloudErrorTable.map(
    (entry: CloudErrorEntry): CatalogueEntry => ({
      area: "cloud",
      id: entry.id,
      cniCode: cniCodeOfProblem(entry),
      meaning: `${entry.what[0]?.toUpperCase()}${entry.what.slice(1)}.`,
      next: entry.next,
      class: entry.class,
      codes: entry.codes,
      ...(entry.documentNames === undefined ? {} : { documentNames: entry.documentNames }),
    }),
  ),
  ...(["full", "journal"] as const satisfies readonly PoolClass[]).map(
    (id): CatalogueEntry => ({
      area: "pool",
      id,
      cniCode: cniCodeOfProblem({ class: id }),
      ...pool[id],
    }),
  ),
  // Object.keys loses the key type; the record above is closed.
  ...(Object.keys(datapath) as DatapathErrorCode[]).map(
    (id): CatalogueEntry => ({ area: "datapath", id, cniCode: cniCodeOfDatapath(id), ...datapath[id] }),
  ),
  {
    area: "daemon",
    id: "drifted",
    cniCode: ownCniErrors.drifted.code,
    meaning: ownCniErrors.drifted.meaning,
    next: "Nothing to do: it is repaired within the repair interval. When it lasts, look who changes it.",
  },
];
