import { z } from "zod";

/**
 * Protocol between the CNI executable and the daemon: HTTP/1.1 over the unix socket, one request per verb.
 *
 *   POST /v1/cni/add | /v1/cni/del | /v1/cni/check | /v1/cni/gc | /v1/cni/status        body: CniRequest
 *   200  body: what the executable prints on stdout, it exits 0 (empty body: it prints nothing)
 *   422  body: CniFailure, printed on stdout, it exits 1
 *   503  body: CniFailure, only while the daemon stops: the executable sends the same request again
 *
 * Anything else (other status, unreadable body) counts as a lost answer and is sent again with the same request id.
 */
export const cniSocketPath = "/var/run/eni/terway.socket";
/** Tombstones of DELs that met no daemon: one JSON file each, `<request id>.json`, shape {@link tombstoneSchema}. */
export const tombstoneDirectory = "/var/run/eni/tombstones";

export const cniVersions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type CniVersion = (typeof cniVersions)[number];

export const cniEnvironmentSchema = z.object({
  CNI_COMMAND: z.enum(["ADD", "DEL", "CHECK", "GC", "STATUS"]),
  CNI_CONTAINERID: z.string().optional(),
  CNI_NETNS: z.string().optional(),
  CNI_IFNAME: z.string().optional(),
  CNI_ARGS: z.string().optional(),
  CNI_PATH: z.string().optional(),
});
export type CniEnvironment = z.infer<typeof cniEnvironmentSchema>;

export const cniRequestSchema = z.object({
  requestId: z.string().min(1).max(128),
  /** Time the executable is still willing to wait when it sends this. */
  deadlineMs: z.number().int().positive(),
  env: cniEnvironmentSchema,
  /** Standard input, parsed: the network configuration of this plugin. */
  config: z.record(z.string(), z.unknown()),
});
export type CniRequest = z.infer<typeof cniRequestSchema>;

export const tombstoneSchema = z.object({
  version: z.literal(1),
  requestId: z.string().min(1),
  containerId: z.string().min(1),
  ifName: z.string().min(1),
  netns: z.string().optional(),
  writtenAtMs: z.number(),
});
export type Tombstone = z.infer<typeof tombstoneSchema>;

/** The error object of the CNI specification. */
export const cniFailureSchema = z.object({
  cniVersion: z.string(),
  code: z.number().int().positive(),
  msg: z.string(),
  details: z.string().optional(),
});
export type CniFailure = z.infer<typeof cniFailureSchema>;

/** Codes of the CNI specification 1.1.0; 100 and above are ours, see `errors.ts`. */
export const cniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodeFailure: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  cannotServeAdd: 50,
  cannotServeAddExistingImpaired: 51,
} as const;

/** Host end of a pod's first interface; Calico's naming, which Terway uses too: `cali` + 11 hex digits of SHA-1. */
export { hostInterfaceName } from "./host-interface-name.ts";
