import { CloudError, type CloudErrorEntry, cloudErrorEntry, cloudErrorName } from "@terway/model";
import { z } from "zod";
import { CredentialsError } from "./credentials.ts";
import { DeadlineError } from "./deadline.ts";
import type { Operation } from "./operations.ts";

/** What a call is about, for messages. Whatever is known at the call. */
export interface Subject {
  readonly vSwitch?: string | undefined;
  readonly securityGroup?: string | undefined;
  readonly eni?: string | undefined;
  readonly instance?: string | undefined;
  readonly address?: string | undefined;
}

/** What came instead of an answer, in plain data; `raw` is kept as the cause. */
export interface Failure {
  readonly code: string;
  readonly httpStatus?: number | undefined;
  readonly requestId?: string | undefined;
  readonly detail?: string | undefined;
  readonly raw?: unknown;
}

const statusError = z.object({
  code: z.string(),
  statusCode: z.number().optional(),
  data: z.object({ Message: z.string().optional(), RequestId: z.string().optional() }).optional(),
});
/** The SDK's own texts hold the whole query; these say the same without it. */
const systemFailures: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  ECONNREFUSED: ["ConnectionRefused", "the endpoint refuses connections"],
  ENOTFOUND: ["NameNotResolved", "the endpoint's name is not known"],
  EAI_AGAIN: ["NameNotResolved", "the endpoint's name cannot be looked up"],
  ENETUNREACH: ["NetworkUnreachable", "there is no route to the endpoint"],
  EHOSTUNREACH: ["NetworkUnreachable", "there is no route to the endpoint"],
  ECONNRESET: ["ConnectionReset", "the connection was cut"],
  EPIPE: ["ConnectionReset", "the connection was cut"],
  ETIMEDOUT: ["Timeout", "the connection timed out"],
};

/** Reads whatever the SDK threw: API errors, system errors, its own timeouts, and SyntaxError for bodies that are no JSON. */
export function readFailure(thrown: unknown): Failure {
  if (thrown instanceof DeadlineError || thrown instanceof CredentialsError)
    return { code: thrown.code, detail: thrown.message, raw: thrown };
  if (thrown instanceof SyntaxError)
    return { code: "UnreadableAnswer", detail: "the answer is no JSON; perhaps a proxy gave it", raw: thrown };
  const api = statusError.safeParse(thrown);
  const [code, detail] = (api.success ? systemFailures[api.data.code] : undefined) ?? [];
  if (code !== undefined) return { code, detail, raw: thrown };
  if (thrown instanceof Error && thrown.name.includes("Timeout"))
    return { code: "Timeout", detail: "the connection was silent for too long", raw: thrown };
  if (api.success && api.data.code !== "undefined") {
    const { code, statusCode, data } = api.data;
    return { code, httpStatus: statusCode, requestId: data?.RequestId, detail: data?.Message, raw: thrown };
  }
  return {
    code: "UnreadableAnswer",
    httpStatus: api.success ? api.data.statusCode : undefined,
    detail: thrown instanceof Error ? thrown.message : String(thrown),
    raw: thrown,
  };
}

/** Codes that no table knows are judged by their HTTP status. */
function entryByStatus(status: number | undefined): Pick<CloudErrorEntry, "class" | "about" | "what" | "next"> {
  const about = "service";
  const next = "Report it with the request id.";
  if (status === undefined) return { class: "unknown", about, what: "the call failed in a way that is not known here", next };
  if (status === 429)
    return { class: "throttled", about, what: "too many calls", next: "Nothing to do: calls are slowed down and repeated." };
  if (status === 401 || status === 403) return { class: "denied", about, what: "the cloud refuses the call", next };
  if (status === 404) return { class: "gone", about, what: "the cloud does not find {resource}", next };
  if (status === 409) return { class: "conflict", about, what: "{resource} is in another state than this operation needs", next };
  if (status === 503)
    return { class: "transient", about, what: "the service is not available at the moment", next: "Nothing to do: it is tried again." };
  if (status >= 500) return { class: "unknown", about, what: "the cloud failed inside", next: "Nothing to do: it is tried again." };
  return { class: "invalid", about, what: "the cloud refuses the request", next };
}

function resourceOf(about: CloudErrorEntry["about"], subject: Subject, detail: string | undefined): string | undefined {
  switch (about) {
    case "vSwitch":
      // Assign names an ENI only; the cloud's text names the vSwitch. It is shown, never decided by.
      return subject.vSwitch ?? detail?.match(/\bvsw-[0-9a-z]+/i)?.[0] ?? subject.eni;
    case "security group":
      return subject.securityGroup ?? detail?.match(/\bsg-[0-9a-z]+/i)?.[0] ?? subject.eni;
    case "instance":
      return subject.instance ?? subject.eni;
    case "address":
      return subject.address ?? subject.eni;
    default:
      return subject.eni ?? subject.vSwitch ?? subject.instance;
  }
}

/**
 * The failure as the closed set of the port sees it. Classes come from one table (`@terway/model`, cloud-error-table.ts); of a read, whose effect
 * is nothing, "unknown" is "transient".
 */
export function toCloudError(operation: Operation, failure: Failure, subject: Subject): CloudError {
  const known = cloudErrorEntry(failure.code);
  const entry = known ?? entryByStatus(failure.httpStatus);
  const errorClass = entry.class === "unknown" && operation.repeat === "read" ? "transient" : entry.class;
  const resource = resourceOf(entry.about, subject, failure.detail);
  const request = failure.requestId === undefined ? "" : `, request ${failure.requestId}`;
  const detail =
    (known === undefined || known.id === "credentials_unavailable" || known.id === "no_answer" || known.id === "connection_refused") &&
    failure.detail !== undefined
      ? ` (${failure.detail})`
      : "";
  const what = entry.what.replace("{resource}", resource ?? `the ${entry.about}`);
  return new CloudError(
    `${operation.action}: ${what}${detail} [${cloudErrorName(failure.code)}${request}]. ${entry.next}`,
    {
      class: errorClass,
      code: failure.code,
      action: operation.action,
      ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
      ...(failure.httpStatus === undefined ? {} : { httpStatus: failure.httpStatus }),
      ...(resource === undefined ? {} : { resource }),
    },
    failure.raw === undefined ? undefined : { cause: failure.raw },
  );
}
