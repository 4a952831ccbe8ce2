import { type Clock, CloudError, type Random } from "@terway/model";
import { z } from "zod";
import type { CredentialSource } from "./credentials.ts";
import { withDeadline } from "./deadline.ts";
import { type Failure, readFailure, type Subject, toCloudError } from "./failure.ts";
import type { Guard } from "./gate.ts";
import type { Operation } from "./operations.ts";
import { errorId, pauseBeforeRetry } from "./retry.ts";
import type { Query, Send } from "./sdk.ts";

/** One request that was sent, for metrics (`aliyun_openapi_latency`) and logs. */
export interface CallRecord {
  readonly action: string;
  readonly durationMs: number;
  /** Code of the failure; absent on success. */
  readonly errorCode?: string;
}

export interface CallerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly send: Send;
  readonly gate: Guard;
  readonly credentials: Pick<CredentialSource, "refused">;
  readonly onCall?: ((record: CallRecord) => void) | undefined;
  /** Limit of one request. */
  readonly attemptTimeoutMs: number;
  /** Limit of a whole call with waiting and repeating, when the caller's signal does not end it before. */
  readonly callTimeoutMs: number;
}

interface CallRequest<T> {
  readonly operation: Operation;
  readonly query: Query;
  readonly subject: Subject;
  readonly answer: z.ZodType<T>;
  readonly signal?: AbortSignal | undefined;
}

/** Sends a request through the gate, repeats it where that is safe, decodes the answer. Rejects with {@link CloudError} only. */
export type Caller = <T>(request: CallRequest<T>) => Promise<T>;

/** A refusal that came with status 200: the SDK takes it for an answer. */
const refusal = z.object({
  Code: z.string().refine((code) => code !== "" && code !== "200" && code !== "Success"),
  Message: z.string().optional(),
  RequestId: z.string().optional(),
});

export function openCaller(options: CallerOptions): Caller {
  const { clock, random } = options;

  async function sendOnce<T>({ operation, query, subject, answer }: CallRequest<T>, signal: AbortSignal): Promise<T> {
    const startedAtMs = clock.monotonicMs();
    const report = (errorCode?: string) =>
      options.onCall?.({
        action: operation.action,
        durationMs: clock.monotonicMs() - startedAtMs,
        ...(errorCode === undefined ? {} : { errorCode }),
      });
    try {
      const text = await withDeadline(clock, options.attemptTimeoutMs, signal, () => options.send(operation, query));
      const value = decode(operation, subject, answer, text);
      report();
      return value;
    } catch (thrown) {
      const error = thrown instanceof CloudError ? thrown : toCloudError(operation, readFailure(thrown), subject);
      report(error.code);
      if (error.class === "denied") options.credentials.refused();
      throw error;
    }
  }

  function decode<T>(operation: Operation, subject: Subject, answer: z.ZodType<T>, text: string): T {
    const body: unknown = JSON.parse(text);
    const refused = refusal.safeParse(body);
    const fail = (failure: Failure) => toCloudError(operation, failure, subject);
    if (refused.success) {
      const { Code: code, Message: detail, RequestId: requestId } = refused.data;
      throw fail({ code, httpStatus: 200, requestId, detail });
    }
    const value = answer.safeParse(body);
    if (value.success) return value.data;
    throw fail({ code: "UnexpectedAnswer", detail: z.prettifyError(value.error), raw: value.error });
  }

  return async (request) => {
    const { operation, subject } = request;
    const limit = new AbortController();
    const cancelLimit = clock.after(options.callTimeoutMs, () => limit.abort());
    const signal = request.signal === undefined ? limit.signal : AbortSignal.any([limit.signal, request.signal]);
    /** A request whose effect is unknown; nothing that comes later and says nothing about it may hide it. */
    let unsure: CloudError | undefined;
    try {
      for (let tried = 1; ; tried++) {
        let error: CloudError;
        try {
          return await options.gate({ operation, signal }, () => sendOnce(request, signal));
        } catch (thrown) {
          error = thrown instanceof CloudError ? thrown : toCloudError(operation, { code: "NotSent", raw: thrown }, subject);
        }
        if (error.class === "unknown") unsure = error;
        const final = error.class === "throttled" || error.class === "transient" ? (unsure ?? error) : error;
        const pauseMs = pauseBeforeRetry(operation, error, tried, random);
        if (pauseMs === undefined || signal.aborted) throw final;
        try {
          await clock.sleep(pauseMs, signal);
        } catch {
          throw final;
        }
      }
    } finally {
      cancelLimit();
    }
  };
}

/** True when the error says that what should go is gone already. */
export function isAlreadyGone(error: unknown): boolean {
  if (!(error instanceof CloudError)) return false;
  const id = errorId(error);
  return id === "eni_gone" || id === "instance_gone" || id === "address_gone";
}
