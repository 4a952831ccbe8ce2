import { z } from "zod";

/** A time drawn evenly between the two, with now and then one from the tail; all in milliseconds. */
const delaySchema = z.strictObject({
  min: z.number().nonnegative(),
  max: z.number().nonnegative(),
  /** One in a hundred takes up to this long. */
  tail: z.number().nonnegative().optional(),
});
export type Delay = z.infer<typeof delaySchema>;

const delaysSchema = z.strictObject({
  /** From the accepted call to InUse, Available, gone. */
  attach: delaySchema,
  detach: delaySchema,
  delete: delaySchema,
  /** From the effect of a call to its answer. */
  create: delaySchema,
  assign: delaySchema,
  describe: delaySchema,
  other: delaySchema,
});
export type Delays = z.infer<typeof delaysSchema>;

const none: Delay = { min: 0, max: 0 };

export const delayProfiles = {
  /** Nothing takes time. */
  instant: { attach: none, detach: none, delete: none, create: none, assign: none, describe: none, other: none },
  /** Times of a cloud, shrunk to what a test can wait for. */
  fast: {
    attach: { min: 50, max: 150 },
    detach: { min: 50, max: 150 },
    delete: { min: 20, max: 60 },
    create: { min: 10, max: 30 },
    assign: { min: 5, max: 20 },
    describe: { min: 1, max: 3 },
    other: { min: 0, max: 1 },
  },
  /** What clients in production assume (no measurement of the live service). */
  realistic: {
    attach: { min: 2000, max: 6000, tail: 20_000 },
    detach: { min: 2000, max: 8000, tail: 20_000 },
    delete: { min: 1000, max: 4000 },
    create: { min: 800, max: 2000 },
    assign: { min: 300, max: 1500 },
    describe: { min: 50, max: 200 },
    other: { min: 20, max: 100 },
  },
} as const satisfies Record<string, Delays>;

/** Calls in a minute. Source: the published default quotas, as deployed clients mirror them. */
export const publishedThrottleLimits: Readonly<Record<string, number>> = {
  CreateNetworkInterface: 500,
  AttachNetworkInterface: 500,
  DeleteNetworkInterface: 500,
  DetachNetworkInterface: 400,
  DescribeNetworkInterfaces: 800,
  DescribeNetworkInterfaceAttribute: 2000,
  AssignPrivateIpAddresses: 400,
  UnassignPrivateIpAddresses: 400,
  AssignIpv6Addresses: 400,
  UnassignIpv6Addresses: 400,
  DescribeInstanceTypes: 400,
  DescribeVSwitches: 300,
};

export const settingsSchema = z.strictObject({
  accountId: z.string(),
  regionId: z.string(),
  delays: delaysSchema,
  throttle: z.strictObject({
    enabled: z.boolean(),
    /** Calls in a window, by action; what is missing gets `otherLimit`. */
    limits: z.record(z.string(), z.number().int().nonnegative()),
    otherLimit: z.number().int().nonnegative(),
    windowMs: z.number().int().positive(),
    /** Calls of other tools of the same account, counted into each window. */
    backgroundCalls: z.number().int().nonnegative(),
    code: z.enum(["Throttling", "Throttling.User", "Throttling.Api"]),
  }),
  /** How far the answers of Describe stay behind. */
  describeLagMs: z.number().nonnegative(),
  /** How far the instance metadata stays behind. */
  metadataLagMs: z.number().nonnegative(),
  /** ENIs of the account in the region, primary ones not counted. */
  maxEnis: z.number().int().nonnegative(),
  maxSecurityGroupsPerEni: z.number().int().positive(),
  maxSecurityGroups: z.number().int().nonnegative(),
  /** Of one group, both directions. */
  maxRulesPerSecurityGroup: z.number().int().nonnegative(),
  /** Addresses one assign call may ask for. */
  maxAssignPerCall: z.number().int().positive(),
  /** `lowest`: a freed address is the next to be given, the hardest case for a client. */
  addressOrder: z.enum(["lowest", "random"]),
  clientTokenLifetimeMs: z.number().positive(),
  /** A VLAN id of a trunk rests this long. */
  vlanRestMs: z.number().nonnegative(),
  /** Refuse parameters that the operation does not know; the real gateway ignores them. */
  strictParameters: z.boolean(),
  /** Any RegionId passes: older clients send an endpoint in its place. */
  lenientRegion: z.boolean(),
  /** Largest difference between a request's date and the clock; null: not checked, for scripted clocks. */
  maxClockSkewMs: z.number().positive().nullable(),
});
export type Settings = z.infer<typeof settingsSchema>;

export const defaultSettings: Settings = {
  accountId: "1234567890123456",
  regionId: "cn-hangzhou",
  delays: delayProfiles.fast,
  throttle: {
    enabled: true,
    limits: publishedThrottleLimits,
    otherLimit: 500,
    windowMs: 60_000,
    backgroundCalls: 0,
    code: "Throttling.User",
  },
  describeLagMs: 0,
  metadataLagMs: 0,
  maxEnis: 50_000,
  maxSecurityGroupsPerEni: 5,
  maxSecurityGroups: 100,
  maxRulesPerSecurityGroup: 200,
  maxAssignPerCall: 10,
  addressOrder: "lowest",
  clientTokenLifetimeMs: 24 * 3600_000,
  vlanRestMs: 60_000,
  strictParameters: true,
  lenientRegion: false,
  maxClockSkewMs: 15 * 60_000,
};

/** Some settings; `delays` may be a profile's name, and inner objects may be partial. */
export const settingsPatchSchema = settingsSchema
  .omit({ delays: true, throttle: true })
  .partial()
  .extend({
    delays: z.union([z.enum(["instant", "fast", "realistic"]), delaysSchema.partial()]).optional(),
    throttle: settingsSchema.shape.throttle.partial().optional(),
  });
export type SettingsPatch = z.infer<typeof settingsPatchSchema>;

export function patchSettings(settings: Settings, patch: SettingsPatch): Settings {
  const { delays, throttle, ...rest } = patch;
  const merged = {
    ...settings,
    ...rest,
    delays: typeof delays === "string" ? delayProfiles[delays] : { ...settings.delays, ...delays },
    throttle: { ...settings.throttle, ...throttle },
  };
  return settingsSchema.parse(merged);
}
