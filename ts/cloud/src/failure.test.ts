import { type CloudErrorClass, cloudErrorEntry, cloudErrorTable } from "@terway/model";
import { describe, expect, test } from "vitest";
import { CredentialsError } from "./credentials.ts";
import { DeadlineError } from "./deadline.ts";
import { readFailure, toCloudError } from "./failure.ts";
import { operations } from "./operations.ts";

const subject = { vSwitch: "vsw-a", securityGroup: "sg-a", eni: "eni-a", instance: "i-a" };
const classify = (code: string, httpStatus?: number) => toCloudError(operations.AttachNetworkInterface, { code, httpStatus }, subject);

/** The tables of error codes of the reference (section 13), as far as our operations can meet them, with what they ask to do. */
const documented: readonly (readonly [code: string, status: number, expected: CloudErrorClass])[] = [
  ["Throttling", 400, "throttled"],
  ["Throttling.User", 400, "throttled"],
  ["Throttling.Api", 429, "throttled"],
  ["ServiceUnavailable", 503, "transient"],
  ["InternalError", 500, "unknown"],
  ["SignatureDoesNotMatch", 400, "denied"],
  ["SignatureNonceUsed", 400, "transient"],
  ["InvalidTimeStamp.Expired", 400, "denied"],
  ["InvalidTimeStamp.Format", 400, "denied"],
  ["InvalidAccessKeyId.NotFound", 404, "denied"],
  ["InvalidAccessKeyId.Inactive", 400, "denied"],
  ["InvalidSecurityToken.Expired", 400, "denied"],
  ["InvalidSecurityToken.MismatchWithAccessKey", 400, "denied"],
  ["MissingParameter", 400, "invalid"],
  ["MissingVSwitchId", 400, "invalid"],
  ["InvalidParameter.Conflict", 400, "invalid"],
  ["InvalidAction.NotFound", 404, "invalid"],
  ["InvalidApi.NotFound", 404, "invalid"],
  ["InvalidRegionId.MalFormed", 400, "invalid"],
  ["Forbidden.RegionId", 400, "invalid"],
  ["Forbidden.RAM", 403, "denied"],
  ["Forbidden.Ram.User", 403, "denied"],
  ["Forbidden.SubUser", 403, "denied"],
  ["Abs.InvalidAccount.NotFound", 403, "denied"],
  ["IdempotentParameterMismatch", 400, "conflict"],
  ["IdempotenceParamNotMatch", 400, "conflict"],
  ["IdempotentFailed", 400, "conflict"],
  ["InvalidVSwitchId.NotFound", 404, "invalid"],
  ["InvalidVSwitchId.IpNotEnough", 403, "exhausted"],
  ["QuotaExceeded.PrivateIpAddress", 400, "exhausted"],
  ["InvalidVSwitchId.IpInvalid", 403, "invalid"],
  ["InvalidIp.IpAssigned", 403, "conflict"],
  ["InvalidPrivateIpAddress.Duplicated", 400, "conflict"],
  ["InvalidVSwitch.Ipv6NotTurnOn", 403, "invalid"],
  ["IncorrectVSwitchStatus", 400, "conflict"],
  ["InvalidSecurityGroupId.NotFound", 404, "invalid"],
  ["InvalidSecurityGroupId.NotVpc", 403, "invalid"],
  ["SecurityGroupInstanceLimitExceed", 403, "quota"],
  ["EnterpriseGroupLimited.MutliGroupType", 403, "invalid"],
  ["MaxEniCountExceeded", 403, "quota"],
  ["QuotaExceed.Tags", 403, "invalid"],
  ["InvalidResourceGroup.NotFound", 404, "invalid"],
  ["InvalidOperation.EniServiceManaged", 403, "invalid"],
  ["InvalidEniId.NotFound", 404, "gone"],
  ["InvalidEcsId.NotFound", 404, "gone"],
  ["InvalidInstanceId.NotFound", 403, "gone"],
  ["InvalidOperation.InvalidEniState", 400, "conflict"],
  ["InvalidOperation.InvalidEcsState", 400, "conflict"],
  ["EniPerInstanceLimitExceeded", 403, "quota"],
  ["InvalidOperation.EniCountExceeded", 403, "quota"],
  ["InvalidOperation.AvailabilityZoneMismatch", 403, "invalid"],
  ["InvalidOperation.EniHotPlugNotSupported", 400, "invalid"],
  ["InvalidOperation.InvalidEniType", 403, "invalid"],
  ["InvalidOperation.DetachPrimaryEniNotAllowed", 400, "invalid"],
  ["InvalidOperation.EniLinked", 403, "conflict"],
  ["InvalidParameter.EniNotBelongEcs", 400, "conflict"],
  ["InvalidOperation.Ipv4CountExceeded", 403, "quota"],
  ["InvalidOperation.Ipv6CountExceeded", 403, "quota"],
  ["MaxEniIpv6IpsCountExceeded", 403, "quota"],
  ["InvalidOperation.Ipv6NotSupport", 403, "invalid"],
  ["Operation.Conflict", 403, "conflict"],
  ["InvalidIp.IpUnassigned", 403, "gone"],
  ["InvalidParams.EniId", 400, "invalid"],
  ["InvalidInstanceID.Malformed", 400, "invalid"],
];

describe("class of a code", () => {
  test.each(documented)("%s (%i): %s, in any case", (code, status, expected) => {
    for (const spelling of [code, code.toLowerCase(), code.toUpperCase()]) {
      const error = classify(spelling, status);
      expect(error.class).toBe(expected);
      expect(error.code).toBe(spelling);
      expect(error.httpStatus).toBe(status);
    }
  });

  test("no code stands in two entries, and each entry is found by each of its codes", () => {
    for (const entry of cloudErrorTable) for (const code of entry.codes) expect(cloudErrorEntry(code), code).toBe(entry);
  });

  test.each([
    [429, "throttled"],
    [401, "denied"],
    [403, "denied"],
    [404, "gone"],
    [409, "conflict"],
    [400, "invalid"],
    [500, "unknown"],
    [502, "unknown"],
    [503, "transient"],
    [undefined, "unknown"],
  ] as const)("a code that no table knows, HTTP %s: %s, and the cloud's text is shown", (status, expected) => {
    const error = toCloudError(
      operations.AttachNetworkInterface,
      { code: "Brand.New", httpStatus: status, detail: "their words" },
      subject,
    );
    expect(error).toMatchObject({ class: expected, code: "Brand.New" });
    expect(error.message).toContain("their words");
  });

  test("a word with Throttling in it throttles, whatever stands around it", () => {
    expect(classify("ApiThrottlingException", 503).class).toBe("throttled");
  });

  test("of a read, no answer is no loss", () => {
    for (const code of ["ConnectionReset", "Timeout", "InternalError", "UnreadableAnswer"]) {
      expect(toCloudError(operations.DescribeNetworkInterfaces, { code }, {}).class, code).toBe("transient");
      expect(toCloudError(operations.CreateNetworkInterface, { code }, {}).class, code).toBe("unknown");
    }
  });
});

describe("message", () => {
  test.each([
    ["InvalidVSwitchId.IpNotEnough", "vsw-a", "InvalidVSwitchId.IpNotEnough", "`vswitches`"],
    ["InvalidVSwitchId.NotFound", "vsw-a", "InvalidVSwitchId.NotFound", "`vswitches`"],
    ["InvalidSecurityGroupId.NotFound", "sg-a", "InvalidSecurityGroup.NotFound", "`security_group`"],
    ["InvalidAccessKeyId.NotFound", undefined, "InvalidAccessKeyId", "`access_key`"],
    ["SignatureDoesNotMatch", undefined, "InvalidAccessKeySecret", "`access_secret`"],
    ["Forbidden.RAM", undefined, "Forbidden.RAM", "ram-policy.md"],
    ["MaxEniCountExceeded", undefined, "QuotaExceeded.Eni", "quota"],
    ["EniPerInstanceLimitExceeded", "i-a", "QuotaExceeded.Eni", "instance type"],
    ["Throttling.User", undefined, "Throttling", "`rate_limit`"],
  ])("%s names operation, code, the documents' name, the resource and the next step", (code, resource, documentName, next) => {
    const { message } = toCloudError(operations.CreateNetworkInterface, { code, httpStatus: 403, requestId: "REQ-1" }, subject);
    for (const part of ["CreateNetworkInterface", code, documentName, resource ?? "", next, "REQ-1"]) expect(message).toContain(part);
    expect(message).not.toMatch(/undefined|\{resource\}/);
  });

  test("assign names an ENI only; the vSwitch is read from the cloud's text", () => {
    const detail = 'The specified VSwitch "vsw-bp1s5fnvk4gn2tws0" has not enough IpAddress.';
    const error = toCloudError(operations.AssignPrivateIpAddresses, { code: "InvalidVSwitchId.IpNotEnough", detail }, { eni: "eni-a" });
    expect(error.resource).toBe("vsw-bp1s5fnvk4gn2tws0");
  });
});

describe("what the SDK throws", () => {
  const thrown = (fields: object, name?: string) => Object.assign(new Error("text"), fields, name === undefined ? {} : { name });

  test.each([
    [new SyntaxError("Unexpected token '<'"), "UnreadableAnswer"],
    [thrown({ code: "ECONNRESET" }), "ConnectionReset"],
    [thrown({ code: "ECONNREFUSED" }), "ConnectionRefused"],
    [thrown({ code: "ENOTFOUND" }), "NameNotResolved"],
    [thrown({}, "RequestTimeoutError"), "Timeout"],
    [new DeadlineError("Aborted", "x"), "Aborted"],
    [new CredentialsError("no credentials"), "CredentialsUnavailable"],
    [thrown({ code: "undefined", statusCode: 500, data: {} }), "UnreadableAnswer"],
    [thrown({}), "UnreadableAnswer"],
    ["not even an error", "UnreadableAnswer"],
  ])("%s → %s", (error, code) => {
    expect(readFailure(error)).toMatchObject({ code, raw: error });
  });

  test("an API error keeps code, status, request id and text", () => {
    const error = thrown({ code: "Forbidden.RAM", statusCode: 403, data: { Message: "no", RequestId: "REQ", statusCode: 403 } });
    expect(readFailure(error)).toEqual({ code: "Forbidden.RAM", httpStatus: 403, requestId: "REQ", detail: "no", raw: error });
  });
});
