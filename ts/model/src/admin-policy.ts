import { z } from "zod";

/**
 * NetworkPolicy on the node, as `terway-cli policy` shows it:
 *
 *   GET  /v1/admin/policy                         {@link policyViewSchema}
 *   GET  /v1/admin/policy/drops?after=NUMBER      {@link policyDropsSchema}, those after this number
 */
const countSchema = z.object({ packets: z.number(), bytes: z.number() });

/** One thing that is allowed, and how many connections it has let in. */
const ruleSchema = countSchema.extend({ rule: z.number(), text: z.string(), policies: z.array(z.string()) });

const judgedSchema = z.object({
  direction: z.enum(["ingress", "egress"]),
  /** Number of the set in the kernel's tables; absent: no policy isolates this direction. */
  set: z.string().optional(),
  /** Names of the policies that isolate it. */
  policies: z.array(z.string()),
  rules: z.array(ruleSchema),
  /** What no rule allowed. */
  denied: countSchema,
  /** What rules have let in that the pod's policies no longer have. */
  former: countSchema,
  /** True while the kernel has another set than the policies say: the change is on its way, or did not fit. */
  pending: z.boolean(),
});
export type PolicyJudged = z.infer<typeof judgedSchema>;

export const policyViewSchema = z.object({
  /** Whether NetworkPolicy is enforced, in words. */
  state: z.string(),
  pods: z.array(
    z.object({
      pod: z.string(),
      /** Number of its interface in the tables. */
      endpoint: z.number(),
      addresses: z.array(z.string()),
      /** `enforced`; `tracked`: only watched; `held`: only the node's packets pass; `none`: nothing decides yet. */
      state: z.enum(["enforced", "tracked", "held", "none"]),
      judged: z.array(judgedSchema),
    }),
  ),
  /** Of all pods together, by what became of packets. */
  reasons: z.array(countSchema.extend({ reason: z.string() })),
});
export type PolicyView = z.infer<typeof policyViewSchema>;

export const policyDropsSchema = z.object({
  /** To ask for what comes after. */
  last: z.number(),
  drops: z.array(
    z.object({
      atMs: z.number(),
      pod: z.string(),
      direction: z.enum(["ingress", "egress"]),
      reason: z.string(),
      protocol: z.number(),
      source: z.string(),
      destination: z.string(),
      sourcePort: z.number(),
      destinationPort: z.number(),
      length: z.number(),
    }),
  ),
});
export type PolicyDrops = z.infer<typeof policyDropsSchema>;
