import { z } from "zod";
import { instanceIdentitySchema } from "./instance-identity-schema.ts";

/**
 * What `terway-cli` asks of the daemon, over the same socket as the CNI calls:
 *
 *   GET  /v1/admin/resources                      {@link resourceListSchema}
 *   GET  /v1/admin/resources/TYPE                 {@link resourceListSchema}, of this type only
 *   GET  /v1/admin/resources/TYPE/NAME            {@link resourceViewSchema}
 *   GET  /v1/admin/mapping                        {@link mappingSchema}
 *   GET  /v1/admin/metadata                       {@link metadataViewSchema}
 *   GET  /v1/admin/events                         {@link eventListSchema}
 *   GET  /v1/admin/doctor                         {@link doctorSchema}
 *   POST /v1/admin/execute {@link executeSchema}  {@link executeResultSchema}
 *
 * Failures answer 4xx or 5xx with {@link adminFailureSchema}.
 */
export const adminPrefix = "/v1/admin";

export const adminFailureSchema = z.object({ error: z.string() });

export const resourceListSchema = z.object({ resources: z.array(z.object({ type: z.string(), name: z.string() })) });
export type ResourceList = z.infer<typeof resourceListSchema>;

const entrySchema = z.object({ key: z.string(), value: z.string() });
/** `config` changes with the configuration, `trace` with time. */
export const resourceViewSchema = z.object({
  type: z.string(),
  name: z.string(),
  config: z.array(entrySchema),
  trace: z.array(entrySchema),
  /** Commands that `execute` knows for it. */
  commands: z.array(z.string()),
});
export type ResourceView = z.infer<typeof resourceViewSchema>;

/** One address as the cloud, the journal and the kernel see it. */
export const mappedAddressSchema = z.object({
  address: z.string(),
  family: z.enum(["ipv4", "ipv6"]),
  /** The pool's opinion. */
  state: z.string(),
  pod: z.string().optional(),
  leaseId: z.string().optional(),
  cloud: z.enum(["present", "missing", "unknown"]),
  kernel: z.enum(["ok", "drift", "none", "unknown"]),
  problems: z.array(z.string()),
});
export type MappedAddress = z.infer<typeof mappedAddressSchema>;

export const mappingSchema = z.object({
  enis: z.array(
    z.object({
      id: z.string(),
      mac: z.string(),
      type: z.string(),
      status: z.string(),
      vSwitchId: z.string(),
      ours: z.boolean(),
      addresses: z.array(mappedAddressSchema),
    }),
  ),
  leases: z.array(
    z.object({ id: z.string(), pod: z.string(), state: z.string(), eniId: z.string(), addresses: z.array(z.string()), netns: z.string() }),
  ),
  /** Everything on which cloud, journal and kernel do not agree; empty when all is well. */
  mismatches: z.array(z.object({ object: z.string(), problem: z.string() })),
  /** Why the cloud's side is unknown, if it is. */
  cloudUnknown: z.string().optional(),
});
export type Mapping = z.infer<typeof mappingSchema>;

export const metadataViewSchema = z.object({
  identity: instanceIdentitySchema,
  enis: z.array(
    z.object({
      eniId: z.string(),
      mac: z.string(),
      vSwitchId: z.string(),
      vSwitchCidr: z.string(),
      primaryIpv4: z.string(),
      ipv4: z.array(z.string()),
      ipv6: z.array(z.string()),
      gatewayIpv4: z.string(),
      gatewayIpv6: z.string().optional(),
    }),
  ),
});
export type MetadataView = z.infer<typeof metadataViewSchema>;

export const eventListSchema = z.object({
  events: z.array(
    z.object({
      atMs: z.number(),
      reason: z.string(),
      type: z.enum(["Normal", "Warning"]),
      subject: z.string(),
      message: z.string(),
      count: z.number(),
    }),
  ),
});
export type EventList = z.infer<typeof eventListSchema>;

const findingSchema = z.object({
  area: z.enum(["configuration", "permissions", "pool", "kernel", "drift"]),
  /** `info`: a difference that nothing depends on. */
  level: z.enum(["ok", "info", "warn", "fail"]),
  what: z.string(),
  next: z.string().optional(),
});
export type DoctorFinding = z.infer<typeof findingSchema>;
export const doctorSchema = z.object({ findings: z.array(findingSchema) });
export type Doctor = z.infer<typeof doctorSchema>;

export const executeSchema = z.object({
  type: z.string(),
  resource: z.string(),
  command: z.string(),
  args: z.array(z.string()).default([]),
});
export type ExecuteRequest = z.infer<typeof executeSchema>;
export const executeResultSchema = z.object({ ok: z.boolean(), lines: z.array(z.string()) });
export type ExecuteResult = z.infer<typeof executeResultSchema>;
