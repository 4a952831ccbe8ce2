import { z } from "zod";

/** `AdmissionReview` of `admission.k8s.io/v1`, as far as it is read. */
export const reviewSchema = z.object({
  apiVersion: z.string(),
  kind: z.literal("AdmissionReview"),
  request: z.object({
    uid: z.string(),
    kind: z.object({ kind: z.string() }),
    namespace: z.string().optional(),
    operation: z.string(),
    object: z.unknown(),
  }),
});
export type AdmissionRequest = z.infer<typeof reviewSchema>["request"];

export interface PatchOperation {
  readonly op: "add" | "replace";
  readonly path: string;
  readonly value: unknown;
}

/** What a webhook says of a request. */
export type Verdict =
  | { readonly kind: "allowed"; readonly patch?: readonly PatchOperation[]; readonly warnings?: readonly string[] }
  | { readonly kind: "denied"; readonly field: string; readonly message: string };

export function denied(field: string, message: string): Verdict {
  return { kind: "denied", field, message };
}

export function answerOf(apiVersion: string, uid: string, verdict: Verdict): object {
  const response =
    verdict.kind === "denied"
      ? {
          uid,
          allowed: false,
          status: {
            status: "Failure",
            code: 422,
            reason: "Invalid",
            message: `${verdict.field}: ${verdict.message}`,
            details: { causes: [{ reason: "FieldValueInvalid", field: verdict.field, message: verdict.message }] },
          },
        }
      : {
          uid,
          allowed: true,
          ...(verdict.warnings === undefined ? {} : { warnings: verdict.warnings }),
          ...(verdict.patch === undefined || verdict.patch.length === 0
            ? {}
            : { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(verdict.patch)).toString("base64") }),
        };
  return { apiVersion, kind: "AdmissionReview", response };
}
