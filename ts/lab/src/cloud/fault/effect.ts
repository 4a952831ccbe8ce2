import { z } from "zod";

/** When a fault strikes: before the operation ran, or after it ran and changed the cloud. */
const moment = z.enum(["before", "after"]);

/** What a fault does to a call. The catalogue gives them numbers and names; tests may also build their own. */
export const faultEffectSchema = z.discriminatedUnion("type", [
  /** An error answer. `status` and `message` default to those of the code. */
  z.strictObject({
    type: z.literal("error"),
    code: z.string(),
    status: z.number().int().optional(),
    message: z.string().optional(),
    when: moment.default("before"),
    retryAfterMs: z.number().optional(),
  }),
  /** The connection is reset instead of an answer. */
  z.strictObject({ type: z.literal("reset"), when: moment }),
  /** A page of a proxy. */
  z.strictObject({ type: z.literal("html"), status: z.number().int().default(502), when: moment.default("before") }),
  /** The body ends in the middle, as valid HTTP. */
  z.strictObject({ type: z.literal("truncate") }),
  /** Half the body, then nothing for this long, then a reset. */
  z.strictObject({ type: z.literal("stall"), ms: z.number().nonnegative() }),
  /** The effect happens at once, the answer comes so much later. */
  z.strictObject({ type: z.literal("delay"), ms: z.number().nonnegative() }),
  /** The gateway runs the request twice; the caller sees the second answer. */
  z.strictObject({ type: z.literal("duplicate") }),
  /** The transition that the call starts never ends. */
  z.strictObject({ type: z.literal("stuck") }),
  /** The attach falls back to Available. */
  z.strictObject({ type: z.literal("attach-fails") }),
  z.strictObject({ type: z.literal("slow-transition"), ms: z.number().nonnegative() }),
  /** At most so many addresses although more were asked. */
  z.strictObject({ type: z.literal("partial"), count: z.number().int().nonnegative() }),
  /** The answer comes without this field. */
  z.strictObject({ type: z.literal("omit-field"), field: z.string() }),
  /** The first address of an assign answer is this one, or another one the ENI has. */
  z.strictObject({ type: z.literal("answer-used-address"), address: z.string().optional() }),
  /** Describe answers 200 with nothing in its list. */
  z.strictObject({ type: z.literal("empty-list") }),
  /** Describe answers the past. */
  z.strictObject({ type: z.literal("stale"), lagMs: z.number().positive() }),
  /** Describe leaves out ENIs in these states. */
  z.strictObject({ type: z.literal("hide"), statuses: z.array(z.string()).optional(), eniIds: z.array(z.string()).optional() }),
  /** A page of a list repeats its first entry, or lacks it. */
  z.strictObject({ type: z.literal("page"), fault: z.enum(["repeat-first", "skip-first"]) }),
  /** A field nobody knows, numbers as text, and a status word nobody knows. */
  z.strictObject({ type: z.literal("odd-shapes"), status: z.string().optional() }),
  /** Nobody listens: connection refused. */
  z.strictObject({ type: z.literal("refuse") }),
  /** Metadata answers this status. */
  z.strictObject({ type: z.literal("metadata-error"), status: z.number().int() }),
  /** Metadata does not know these ENIs; without ids, none beside the primary one. */
  z.strictObject({ type: z.literal("metadata-hide"), eniIds: z.array(z.string()).optional() }),
]);
export type FaultEffect = z.infer<typeof faultEffectSchema>;
export type FaultEffectInput = z.input<typeof faultEffectSchema>;
