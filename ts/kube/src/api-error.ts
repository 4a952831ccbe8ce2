import { z } from "zod";

const statusSchema = z.object({
  reason: z.string().optional(),
  message: z.string().optional(),
  code: z.number().optional(),
  details: z.object({ retryAfterSeconds: z.number().optional() }).loose().optional(),
});

/** The API server refused a request. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status. */
  readonly status: number;
  /** `metav1.StatusReason`, for example `NotFound`, `Conflict`, `Expired`; empty when the server gave none. */
  readonly reason: string;
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(
    what: string,
    status: number,
    { reason, message, retryAfterMs }: { reason?: string; message?: string; retryAfterMs?: number } = {},
  ) {
    super(`${what}: ${message ?? `status ${status}`}`);
    this.status = status;
    this.reason = reason ?? "";
    this.retryAfterMs = retryAfterMs;
  }

  /** The version that a list or watch asked for is no longer kept. */
  get expired(): boolean {
    return this.status === 410 || this.reason === "Expired" || this.reason === "Gone";
  }
}

/** The request did not reach the server, or its answer did not arrive whole. Whether it took effect is unknown. */
export class TransportError extends Error {
  override readonly name = "TransportError";

  constructor(what: string, cause: unknown) {
    super(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Reads what the server said of its refusal: a `Status` object, or anything a proxy in between may have written. */
export function readRefusal(what: string, status: number, retryAfter: string | undefined, body: string): ApiError {
  let parsed: z.infer<typeof statusSchema> = {};
  try {
    const result = statusSchema.safeParse(JSON.parse(body));
    if (result.success) parsed = result.data;
  } catch {
    // Not the API server's own words; the status says enough.
  }
  const seconds = retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) : parsed.details?.retryAfterSeconds;
  return new ApiError(what, status, {
    ...(parsed.reason === undefined ? {} : { reason: parsed.reason }),
    ...(parsed.message === undefined ? {} : { message: parsed.message }),
    ...(seconds === undefined ? {} : { retryAfterMs: seconds * 1000 }),
  });
}
