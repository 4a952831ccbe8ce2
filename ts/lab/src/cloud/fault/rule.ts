import { z } from "zod";
import { faultEffectSchema } from "./effect.ts";

/** Which calls a rule strikes; everything given must hold. */
export const faultMatchSchema = z.strictObject({
  /** One operation or several; `*` at the end stands for anything. Metadata requests are `metadata`. */
  action: z.union([z.string(), z.array(z.string())]).optional(),
  accessKeyId: z.string().optional(),
  instanceId: z.string().optional(),
  eniId: z.string().optional(),
  vSwitchId: z.string().optional(),
  /** Substring of the metadata path. */
  path: z.string().optional(),
  /** Of the matching calls, this share. */
  probability: z.number().min(0).max(1).optional(),
  /** Let so many matching calls pass first. */
  skip: z.number().int().nonnegative().optional(),
  /** Strike so often, then never again. */
  times: z.number().int().positive().optional(),
  /** Clock time from and to which the rule holds. */
  fromMs: z.number().optional(),
  untilMs: z.number().optional(),
});
export type FaultMatch = z.infer<typeof faultMatchSchema>;

export const faultRuleSchema = z.strictObject({
  id: z.string(),
  /** Number of the catalogue, for people. */
  fault: z.string().optional(),
  match: faultMatchSchema,
  effect: faultEffectSchema,
  /** Matching calls so far, and how many of them it struck. */
  seen: z.number().int(),
  struck: z.number().int(),
});
export type FaultRule = z.infer<typeof faultRuleSchema>;
