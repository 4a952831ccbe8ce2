import { CloudError } from "@terway/model";
import { FakeClock, SeededRandom } from "@terway/model/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type CallRecord, openCaller } from "./call.ts";
import { concurrencyGuard, gate, rateGuard } from "./gate.ts";
import { type Action, type Operation, operations } from "./operations.ts";
import { RateLimit } from "./rate-limit.ts";

/** The transport as a list of outcomes: a code is refused, an object is answered, a function decides itself. */
type Step = string | Error | object | (() => Promise<string>);

function apiError(code: string, statusCode = 403): Error {
  return Object.assign(new Error(code), { code, statusCode, data: { RequestId: "REQ", Message: "text" } });
}

function harness(steps: Step[], options: { callTimeoutMs?: number; perMinute?: number } = {}) {
  const clock = new FakeClock();
  const sent: { atMs: number; query: object }[] = [];
  const records: CallRecord[] = [];
  let refused = 0;
  const limit = new RateLimit(clock, () => options.perMinute ?? 1000);
  const call = openCaller({
    clock,
    random: new SeededRandom(1),
    gate: gate([rateGuard(limit), concurrencyGuard(4)]),
    credentials: { refused: () => refused++ },
    onCall: (record) => records.push(record),
    attemptTimeoutMs: 20_000,
    callTimeoutMs: options.callTimeoutMs ?? 60_000,
    send(_operation, query) {
      sent.push({ atMs: clock.monotonicMs(), query });
      const step = steps.length > 1 ? steps.shift() : steps[0];
      if (typeof step === "string") return Promise.reject(apiError(step));
      if (step instanceof Error) return Promise.reject(step);
      return typeof step === "function" ? (step as () => Promise<string>)() : Promise.resolve(JSON.stringify(step));
    },
  });
  const run = (action: Action, signal?: AbortSignal) => {
    const operation: Operation = operations[action];
    const answer = z.object({ value: z.number() });
    return call({ operation, query: { ClientToken: "t" }, subject: { eni: "eni-a" }, answer, signal });
  };
  /** How it ended, after as much time as it takes. */
  const end = (action: Action, signal?: AbortSignal) =>
    clock.advanceFor(
      run(action, signal).then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
    );
  return { clock, sent, records, run, end, refusals: () => refused };
}

const reset = () => Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });

describe("repeating", () => {
  test.each([
    // Surely without effect: any operation.
    ["Throttling.User", "AttachNetworkInterface", 4],
    ["ServiceUnavailable", "DeleteNetworkInterface", 4],
    ["Operation.Conflict", "AssignPrivateIpAddresses", 4],
    ["Operation.Conflict", "UnassignPrivateIpAddresses", 4],
    // Effect unknown: reads and calls with a client token only.
    ["InternalError", "DescribeNetworkInterfaces", 4],
    ["InternalError", "CreateNetworkInterface", 3],
    ["InternalError", "AttachNetworkInterface", 1],
    ["InternalError", "UnassignPrivateIpAddresses", 1],
    ["InternalError", "DeleteNetworkInterface", 1],
    // Nothing would change.
    ["Forbidden.RAM", "CreateNetworkInterface", 1],
    ["InvalidVSwitchId.IpNotEnough", "CreateNetworkInterface", 1],
    ["InvalidEniId.NotFound", "DetachNetworkInterface", 1],
    ["InvalidOperation.InvalidEniState", "AttachNetworkInterface", 1],
    ["IdempotentParameterMismatch", "CreateNetworkInterface", 1],
    // Short-lived credentials are fetched again once (fault F30).
    ["InvalidSecurityToken.Expired", "AssignPrivateIpAddresses", 2],
  ] as const)("%s of %s: %i requests", async (code, action, times) => {
    const { end, sent } = harness([code]);
    expect(await end(action)).toMatchObject({ error: { code, action } });
    expect(sent).toHaveLength(times);
  });

  test("a lost answer of a create: the same token, and success in the end (fault F01)", async () => {
    const { end, sent } = harness([reset(), { value: 7 }]);
    expect(await end("CreateNetworkInterface")).toEqual({ value: { value: 7 } });
    expect(sent.map((one) => one.query)).toEqual([{ ClientToken: "t" }, { ClientToken: "t" }]);
  });

  test("the pauses grow and are spread", async () => {
    const { end, sent } = harness(["Throttling"]);
    await end("DescribeVSwitches");
    const gaps = sent.slice(1).map((one, index) => one.atMs - (sent[index]?.atMs ?? 0));
    expect(gaps[0]).toBeGreaterThanOrEqual(700);
    expect(gaps[1]).toBeGreaterThan(gaps[0] ?? 0);
    expect(gaps[2]).toBeGreaterThan(gaps[1] ?? 0);
  });

  test("no later refusal hides that an earlier request may have worked", async () => {
    const { end } = harness([reset(), "Throttling"]);
    expect(await end("CreateNetworkInterface")).toMatchObject({ error: { class: "unknown", code: "ConnectionReset" } });
  });

  test("but an answer to the same token settles it", async () => {
    const { end } = harness([reset(), "InvalidVSwitchId.IpNotEnough"]);
    expect(await end("CreateNetworkInterface")).toMatchObject({ error: { class: "exhausted" } });
  });
});

describe("deadline", () => {
  const never = () => new Promise<string>(() => {});

  test("of one request (fault F26): a write is unknown", async () => {
    const { end, clock, records } = harness([never]);
    expect(await end("AttachNetworkInterface")).toMatchObject({ error: { class: "unknown", code: "Timeout" } });
    expect(clock.monotonicMs()).toBe(20_000);
    expect(records).toEqual([{ action: "AttachNetworkInterface", durationMs: 20_000, errorCode: "Timeout" }]);
  });

  test("of the whole call, repeats included", async () => {
    const { end, clock } = harness([never]);
    expect(await end("DescribeNetworkInterfaces")).toMatchObject({ error: { class: "transient" } });
    expect(clock.monotonicMs()).toBeLessThanOrEqual(60_000);
  });

  test("the caller's signal ends it at once, in flight", async () => {
    const { clock, run } = harness([never]);
    const abort = new AbortController();
    const ended = run("AttachNetworkInterface", abort.signal).catch((error: unknown) => error);
    await clock.advance(10);
    abort.abort();
    expect(await ended).toMatchObject({ class: "unknown", code: "Aborted" });
    expect(clock.monotonicMs()).toBe(10);
    expect(clock.pending).toBe(0);
  });

  test("in a pause the last refusal of the cloud is what is told", async () => {
    const { clock, run, sent } = harness(["Throttling"]);
    const abort = new AbortController();
    const ended = run("DescribeVSwitches", abort.signal).catch((error: unknown) => error);
    await clock.advance(10);
    abort.abort();
    expect(await ended).toMatchObject({ class: "throttled" });
    expect(sent).toHaveLength(1);
  });

  test("before it was sent, it surely had no effect", async () => {
    const { clock, run, end, sent } = harness([{ value: 1 }], { perMinute: 1 });
    await end("AttachNetworkInterface");
    const abort = new AbortController();
    const ended = run("AttachNetworkInterface", abort.signal).catch((error: unknown) => error);
    await clock.advance(10);
    abort.abort();
    expect(await ended).toMatchObject({ class: "transient", code: "NotSent" });
    expect(sent).toHaveLength(1);
    const gone = await run("AttachNetworkInterface", AbortSignal.abort()).catch((error: unknown) => error);
    expect(gone).toMatchObject({ class: "transient", code: "NotSent" });
  });
});

describe("answers", () => {
  test("status 200 with a Code is a refusal", async () => {
    const { end } = harness([{ Code: "Forbidden.RAM", Message: "no", RequestId: "REQ-2" }]);
    expect(await end("AttachNetworkInterface")).toMatchObject({ error: { class: "denied", code: "Forbidden.RAM", requestId: "REQ-2" } });
  });

  test("an answer of another shape is no answer (fault F03: retried with the same token)", async () => {
    const { end, sent } = harness([{ other: 1 }, { value: 3 }]);
    expect(await end("CreateNetworkInterface")).toEqual({ value: { value: 3 } });
    expect(sent).toHaveLength(2);
    expect(await harness([{ other: 1 }]).end("AttachNetworkInterface")).toMatchObject({
      error: { class: "unknown", code: "UnexpectedAnswer" },
    });
  });
});

test("credentials are looked for again after a denial, and only then", async () => {
  const denied = harness(["InvalidAccessKeyId.NotFound"]);
  await denied.end("DescribeVSwitches");
  expect(denied.refusals()).toBe(1);
  const exhausted = harness(["InvalidVSwitchId.IpNotEnough"]);
  await exhausted.end("CreateNetworkInterface");
  expect(exhausted.refusals()).toBe(0);
});

test("each request makes one record", async () => {
  const { end, records } = harness(["Throttling.User", { value: 1 }]);
  await end("DescribeVSwitches");
  expect(records).toEqual([
    { action: "DescribeVSwitches", durationMs: 0, errorCode: "Throttling.User" },
    { action: "DescribeVSwitches", durationMs: 0 },
  ]);
});

test("at most so many requests at once, the rest in order", async () => {
  const waiting: (() => void)[] = [];
  const { clock, run, sent } = harness([() => new Promise<string>((resolve) => waiting.push(() => resolve('{"value":1}')))]);
  const all = Array.from({ length: 10 }, () => run("DescribeVSwitches"));
  await clock.advance(1);
  expect(sent).toHaveLength(4);
  waiting.shift()?.();
  await clock.advance(1);
  expect(sent).toHaveLength(5);
  while (waiting.length > 0) {
    for (const release of waiting.splice(0)) release();
    await clock.advance(1);
  }
  expect(await Promise.all(all)).toHaveLength(10);
});

test("nothing but CloudError comes out, whatever the transport throws", async () => {
  for (const thrown of [new TypeError("bug"), Object.assign(new Error("x"), { code: 42 }), new SyntaxError("<html>")]) {
    const result = await harness([thrown]).end("AttachNetworkInterface");
    expect("error" in result && result.error).toBeInstanceOf(CloudError);
  }
});
