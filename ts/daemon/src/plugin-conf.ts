import { type CniConf, type CniVersion, cniCode, cniVersions, formatIssue, parseCniConf } from "@terway/model";
import { z } from "zod";
import { CniError } from "./failure.ts";

const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((list) => list ?? []);

/** A result of this or an earlier plugin, in the configuration's version; only what is compared or counted is looked at. */
const previousResultSchema = z.looseObject({
  interfaces: listOf(z.looseObject({ name: z.string(), sandbox: z.string().optional() })),
  ips: listOf(z.looseObject({ address: z.string(), interface: z.number().int().nullish() })),
  routes: listOf(z.looseObject({ dst: z.string() })),
  dns: z.looseObject({}).optional(),
});
export type PreviousResult = z.infer<typeof previousResultSchema>;

const protocolSchema = z.object({
  cniVersion: z.enum(cniVersions, { error: `must be one of ${cniVersions.join(", ")}` }),
  name: z.string().min(1),
  prevResult: previousResultSchema.optional(),
  dns: z.looseObject({}).optional(),
});

/** The network configuration of one call: the protocol's keys, and Terway's as the model reads them. */
export interface PluginConf {
  readonly cniVersion: CniVersion;
  readonly name: string;
  readonly prevResult?: PreviousResult;
  readonly dns?: Readonly<Record<string, unknown>>;
  /** Absent: the node's choice. */
  readonly mtu?: number;
  /** With no `mtu`: that of the node's own interface. */
  readonly autoMtu: boolean;
  /** Absent: the node's choice. */
  readonly hostStackCidrs?: readonly string[];
  readonly disableHostPeer: boolean;
  /** What the runtime asks for this pod, in bit/s. */
  readonly bandwidth?: CniConf["bandwidth"];
  /** Attachment ids that the runtime still knows; absent when it did not say. */
  readonly validAttachments?: ReadonlySet<string>;
}

/** Reads what came on the executable's standard input. Throws code 1 for another version, 7 with every problem and its path otherwise. */
export function parsePluginConf(config: Readonly<Record<string, unknown>>): PluginConf {
  const version = config.cniVersion;
  if (typeof version === "string" && !cniVersions.some((known) => known === version)) {
    const supported = `supported versions: ${cniVersions.join(", ")}`;
    throw new CniError(cniCode.incompatibleVersion, `cniVersion ${JSON.stringify(version)} is not supported`, supported);
  }
  const protocol = protocolSchema.safeParse(config);
  const terway = parseCniConf(config);
  if (!protocol.success || !terway.ok) {
    const ours = protocol.success
      ? []
      : protocol.error.issues.map((issue) => `${issue.path.join(".") || "configuration"}: ${issue.message}`);
    const theirs = terway.ok ? [] : terway.errors.map(formatIssue);
    throw new CniError(cniCode.invalidConfig, `network configuration: ${[...new Set([...ours, ...theirs])].join("; ")}`);
  }
  const { prevResult, dns, cniVersion, name } = protocol.data;
  const { mtu, autoMtu, validAttachments, hostStackCidrs, disableHostPeer, bandwidth } = terway.config;
  return {
    cniVersion,
    name,
    ...(prevResult === undefined ? {} : { prevResult }),
    // libcni fills in an empty object where the operator wrote nothing.
    ...(dns === undefined || Object.keys(dns).length === 0 ? {} : { dns }),
    ...(mtu === undefined ? {} : { mtu }),
    autoMtu,
    ...(hostStackCidrs === undefined ? {} : { hostStackCidrs }),
    disableHostPeer,
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(validAttachments === undefined
      ? {}
      : { validAttachments: new Set(validAttachments.map((one) => `${one.containerId}/${one.ifName}`)) }),
  };
}
