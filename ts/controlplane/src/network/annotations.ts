import { canonicalAddress, canonicalCidr, parseGoDuration } from "@terway/model";
import { z } from "zod";

const prefix = "k8s.aliyun.com/";

/** Annotations of Pod and Namespace that say which network a pod gets. */
export const annotation = {
  podEni: `${prefix}pod-eni`,
  podNetworks: `${prefix}pod-networks`,
  podNetworksRequest: `${prefix}pod-networks-request`,
  podNetworking: `${prefix}pod-networking`,
  trunkOn: `${prefix}trunk-on`,
  securityGroupId: `${prefix}security-group-id`,
  vSwitchId: `${prefix}vswitch-id`,
  podIp: `${prefix}pod-ip`,
  /** Ours: what the webhook has made `pod-networks` from. */
  source: "terway.aliyun.com/network-source",
} as const;

/** Upstream's limit, which leaves room for the host's side of the name. */
const interfaceName = z.string().regex(/^[a-z0-9_.-]{1,5}$/i, "must be 1 to 5 letters, digits, dots or dashes");
const route = z.object({ dst: z.string().refine((value) => canonicalCidr(value) !== undefined, "must be a CIDR") });
const ids = z.array(z.string().min(1));

/** Most security groups of an ENI. Source: ECS, quota of security groups for each ENI. */
const mostGroups = 10;
const groups = ids.max(mostGroups, `names more than ${mostGroups} groups, the most that an ENI takes`);

export const allocationTypeSchema = z
  .object({
    type: z.enum(["Elastic", "Fixed"]).optional(),
    releaseStrategy: z.enum(["TTL", "Never"]).optional(),
    releaseAfter: z.string().optional(),
  })
  .superRefine(({ type, releaseStrategy, releaseAfter = "" }, context) => {
    const wrong = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (type !== "Fixed") return;
    if (releaseStrategy === "Never" && releaseAfter !== "") wrong("releaseAfter", "must be empty with releaseStrategy Never");
    if (releaseStrategy !== "Never" && parseGoDuration(releaseAfter) === undefined)
      wrong("releaseAfter", 'must be a duration such as "10m" with releaseStrategy TTL');
  });
export type AllocationType = z.infer<typeof allocationTypeSchema>;

/** `k8s.aliyun.com/pod-networks`, as upstream has it. */
export const podNetworksSchema = z.object({
  podNetworks: z
    .array(
      z.object({
        vSwitchOptions: ids.optional(),
        securityGroupIDs: groups.optional(),
        interface: z.union([z.literal(""), interfaceName]).optional(),
        extraRoutes: z.array(route).nullish(),
        eniOptions: z.object({ eniType: z.enum(["", "Default", "Trunk", "ENI"]).optional() }).nullish(),
        vSwitchSelectOptions: z.object({ vSwitchSelectionPolicy: z.enum(["", "ordered", "random", "most"]).optional() }).nullish(),
        resourceGroupID: z.string().optional(),
        networkInterfaceTrafficMode: z.enum(["", "Standard", "HighPerformance"]).optional(),
        defaultRoute: z.boolean().optional(),
        allocationType: allocationTypeSchema.nullish(),
      }),
    )
    .min(1, "names no network"),
});
export type PodNetworksAnnotation = z.infer<typeof podNetworksSchema>;

/** `k8s.aliyun.com/pod-networks-request`. */
export const podNetworksRequestSchema = z
  .array(
    z.object({
      interfaceName: z.union([z.literal(""), interfaceName]).optional(),
      network: z.string().min(1),
      defaultRoute: z.boolean().optional(),
      routes: z.array(route).nullish(),
    }),
  )
  .min(1, "names no network");

/** The four that users' documents name, each for itself. */
export const plainAnnotations = {
  [annotation.trunkOn]: z.enum(["true", "false"], 'must be "true" or "false"'),
  [annotation.securityGroupId]: z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .pipe(groups),
  [annotation.vSwitchId]: z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .pipe(ids),
  [annotation.podIp]: z
    .string()
    .refine((text) => canonicalAddress(text) !== undefined && !text.includes(":"), "must be an IPv4 address")
    .transform((text) => canonicalAddress(text) ?? text),
} as const;

/** The value, or what is wrong with it and where. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly field: string; readonly message: string };

/** Reads an annotation whose text is JSON. */
export function readJsonAnnotation<T>(name: string, text: string, schema: z.ZodType<T>): Read<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, field: name, message: `is no JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  return readAnnotation(name, json, schema);
}

/** Reads a value by its schema; the field of the first fault is named as people would: `pod-networks.podNetworks[0].interface`. */
export function readAnnotation<T>(name: string, value: unknown, schema: z.ZodType<T>): Read<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`)).join("");
  return { ok: false, field: `${name}${path}`, message: issue?.message ?? "cannot be read" };
}
