import { createHash, createHmac, randomUUID } from "node:crypto";
import { DescribeNetworkInterfacesRequest } from "@alicloud/ecs20140526";
import LegacyPackage, { Config, OpenApiRequest, Params } from "@alicloud/openapi-client";
import CorePackage, { $OpenApiUtil, OpenApiUtil } from "@alicloud/openapi-core";
import { RuntimeOptions } from "@darabonba/typescript";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { account, type Lab, names, openLab, refusal, regionId } from "./lab.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await openLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const list = (credentials: Parameters<Lab["client"]>[0]) =>
  lab.client(credentials).describeNetworkInterfaces(new DescribeNetworkInterfacesRequest({ regionId }));
const endpoint = () => `${lab.openapi.host}:${lab.openapi.port}`;

describe("credentials", () => {
  it("of an unknown key are refused", async () => {
    expect(await refusal(() => list({ ...account, accessKeyId: "LTAInobody" }))).toMatchObject({
      code: "InvalidAccessKeyId.NotFound",
      statusCode: 404,
    });
  });

  it("with the wrong secret are refused", async () => {
    expect(await refusal(() => list({ ...account, accessKeySecret: "wrong" }))).toMatchObject({
      code: "SignatureDoesNotMatch",
      statusCode: 400,
    });
  });

  it("of a disabled key are refused", async () => {
    lab.simulator.accessKey({ id: "LTAIoff", secret: "s", status: "Inactive" });
    expect(await refusal(() => list({ accessKeyId: "LTAIoff", accessKeySecret: "s" }))).toMatchObject({
      code: "InvalidAccessKeyId.Inactive",
      statusCode: 400,
    });
  });

  it("of STS need their token, unexpired and their own", async () => {
    lab.simulator.accessKey({ id: "STS.a", secret: "s", securityToken: "token-a", expiresMs: Date.now() + 60_000 });
    lab.simulator.accessKey({ id: "STS.b", secret: "s", securityToken: "token-b", expiresMs: Date.now() - 1 });
    const sts = (accessKeyId: string, securityToken: string) => list({ accessKeyId, accessKeySecret: "s", securityToken });
    expect((await sts("STS.a", "token-a")).statusCode).toBe(200);
    expect(await refusal(() => sts("STS.b", "token-b"))).toMatchObject({ code: "InvalidSecurityToken.Expired" });
    expect(await refusal(() => sts("STS.a", "token-b"))).toMatchObject({ code: "InvalidSecurityToken.MismatchWithAccessKey" });
    expect(await refusal(() => sts("STS.a", "rubbish"))).toMatchObject({ code: "InvalidSecurityToken.Malformed" });
    expect(await refusal(() => list({ accessKeyId: "STS.a", accessKeySecret: "s" }))).toMatchObject({ code: "MissingSecurityToken" });
  });
});

describe("the vendor's clients", () => {
  it("of the new core call generically, with a form body, too", async () => {
    const core = new CorePackage.default(new $OpenApiUtil.Config({ ...account, endpoint: endpoint(), protocol: "http" }));
    const params = new $OpenApiUtil.Params({
      action: "DescribeNetworkInterfaces",
      version: "2014-05-26",
      protocol: "HTTP",
      pathname: "/",
      method: "POST",
      authType: "AK",
      style: "RPC",
      reqBodyType: "formData",
      bodyType: "json",
    });
    const query = new $OpenApiUtil.OpenApiRequest({ query: OpenApiUtil.query({ RegionId: regionId, InstanceId: names.instance }) });
    expect((await core.callApi(params, query, new RuntimeOptions({}))).body.TotalCount).toBe(1);
    const form = new $OpenApiUtil.OpenApiRequest({ body: OpenApiUtil.parseToMap({ RegionId: regionId, InstanceId: "i-none" }) });
    expect((await core.callApi(params, form, new RuntimeOptions({}))).body.TotalCount).toBe(0);
  });

  it.each([
    ["version 3", {}],
    ["version 1 in the query", { signatureAlgorithm: "v2" }],
  ])("of the legacy core sign with %s", async (_, options) => {
    const client = new LegacyPackage.default(new Config({ ...account, endpoint: endpoint(), protocol: "http", ...options }));
    const call = (secretClient: typeof client, action: string) =>
      secretClient.callApi(
        new Params({
          action,
          version: "2014-05-26",
          protocol: "HTTP",
          pathname: "/",
          method: "POST",
          authType: "AK",
          style: "RPC",
          reqBodyType: "json",
          bodyType: "json",
        }),
        new OpenApiRequest({ query: { RegionId: regionId, InstanceId: names.instance, "Tag.1.Key": "a b*c~'(d)!é" } }),
        // The legacy core declares a runtime class of its own and reads only its fields.
        new RuntimeOptions({}) as never,
      );
    expect((await call(client, "DescribeNetworkInterfaces")).body).toMatchObject({ TotalCount: 0 });
    expect(await refusal(() => call(client, "DescribeNothing"))).toMatchObject({ code: "InvalidAction.NotFound", statusCode: 404 });
    const wrong = new LegacyPackage.default(
      new Config({ ...account, accessKeySecret: "wrong", endpoint: endpoint(), protocol: "http", ...options }),
    );
    expect(await refusal(() => call(wrong, "DescribeNetworkInterfaces"))).toMatchObject({ code: "SignatureDoesNotMatch" });
  });
});

/** RFC 3986. */
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
const now = () => `${new Date().toISOString().slice(0, 19)}Z`;

/** A request signed by hand after the documentation of version 1, so that each part can be made wrong. */
async function v1(
  changes: Record<string, string | undefined> = {},
  { method = "GET", secret = account.accessKeySecret, hash = "sha1" } = {},
) {
  const fields: Record<string, string | undefined> = {
    Action: "DescribeNetworkInterfaces",
    Version: "2014-05-26",
    Format: "JSON",
    RegionId: regionId,
    AccessKeyId: account.accessKeyId,
    SignatureMethod: "HMAC-SHA1",
    SignatureVersion: "1.0",
    SignatureNonce: randomUUID(),
    Timestamp: now(),
    ...changes,
  };
  const pairs = Object.entries(fields)
    .filter((pair): pair is [string, string] => pair[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const query = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  const signature = createHmac(hash, `${secret}&`)
    .update(`${method}&%2F&${encode(query)}`)
    .digest("base64");
  const signed = `${query}&Signature=${encode(changes.Signature ?? signature)}`;
  const form = { method, body: signed, headers: { "content-type": "application/x-www-form-urlencoded" } };
  const response = method === "POST" ? await fetch(`http://${endpoint()}/`, form) : await fetch(`http://${endpoint()}/?${signed}`);
  const body = (await response.json()) as { Code?: string; TotalCount?: number };
  return { status: response.status, code: body.Code ?? "ok", body };
}

describe("signature version 1, by hand", () => {
  it.each([
    ["GET with the parameters in the query", {}, { method: "GET" }, "ok"],
    ["POST with the parameters in a form", {}, { method: "POST" }, "ok"],
    ["HMAC-SHA256", { SignatureMethod: "HMAC-SHA256" }, { hash: "sha256" }, "ok"],
    ["a wrong secret", {}, { secret: "wrong" }, "SignatureDoesNotMatch"],
    ["another method than named", { SignatureMethod: "HMAC-SHA256" }, {}, "SignatureDoesNotMatch"],
    ["an unknown method", { SignatureMethod: "HMAC-MD5" }, {}, "InvalidSignatureMethod"],
    ["another version", { SignatureVersion: "2.0" }, {}, "IncompleteSignature"],
    ["no nonce", { SignatureNonce: undefined }, {}, "IncompleteSignature"],
    ["no key", { AccessKeyId: undefined }, {}, "MissingAccessKeyId"],
    ["a date of another form", { Timestamp: "2026-01-01" }, {}, "InvalidTimeStamp.Format"],
    ["an old date", { Timestamp: "2020-01-01T00:00:00Z" }, {}, "InvalidTimeStamp.Expired"],
    ["a date to come", { Timestamp: `${new Date(Date.now() + 16 * 60_000).toISOString().slice(0, 19)}Z` }, {}, "InvalidTimeStamp.Expired"],
    ["an unknown API version", { Version: "2000-01-01" }, {}, "InvalidVersion"],
    ["an operation of another product", { Version: "2016-04-28" }, {}, "InvalidAction.NotFound"],
  ])("%s", async (_, changes, options, code) => expect((await v1(changes, options)).code).toBe(code));

  it("takes a nonce only once, and one of a refused signature is not used up", async () => {
    const SignatureNonce = randomUUID();
    expect((await v1({ SignatureNonce }, { secret: "wrong" })).code).toBe("SignatureDoesNotMatch");
    expect((await v1({ SignatureNonce })).code).toBe("ok");
    expect(await v1({ SignatureNonce })).toMatchObject({ code: "SignatureNonceUsed", status: 400 });
  });
});

/** A request signed by hand after the documentation of version 3. */
async function acs3({
  body = "",
  sentBody = body,
  headers: changes = {},
  sign = (names_: string[]) => names_,
}: {
  body?: string;
  sentBody?: string;
  headers?: Record<string, string>;
  sign?: (names: string[]) => string[];
} = {}) {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  const headers: Record<string, string> = {
    host: endpoint(),
    "x-acs-action": "DescribeNetworkInterfaces",
    "x-acs-version": "2014-05-26",
    "x-acs-date": now(),
    "x-acs-signature-nonce": randomUUID(),
    "x-acs-content-sha256": sha256(body),
    ...changes,
  };
  const signedNames = sign(Object.keys(headers).sort());
  const query = `RegionId=${regionId}`;
  const canonical = [
    "POST",
    "/",
    query,
    signedNames.map((name) => `${name}:${headers[name]}\n`).join(""),
    signedNames.join(";"),
    sha256(body),
  ].join("\n");
  const signature = createHmac("sha256", account.accessKeySecret)
    .update(`ACS3-HMAC-SHA256\n${sha256(canonical)}`)
    .digest("hex");
  const authorization = `ACS3-HMAC-SHA256 Credential=${account.accessKeyId},SignedHeaders=${signedNames.join(";")},Signature=${signature}`;
  const response = await fetch(`http://${endpoint()}/?${query}`, {
    method: "POST",
    headers: { ...headers, authorization },
    body: sentBody === "" ? null : sentBody,
  });
  return ((await response.json()) as { Code?: string }).Code ?? "ok";
}

describe("signature version 3, by hand", () => {
  const octets = { "content-type": "application/octet-stream" };
  it("is accepted", async () => expect(await acs3()).toBe("ok"));
  it("covers the body", async () => {
    expect(await acs3({ body: "right", headers: octets })).toBe("ok");
    expect(await acs3({ body: "right", sentBody: "wrong", headers: octets })).toBe("SignatureDoesNotMatch");
  });
  it("covers every header that speaks to the gateway", async () => {
    const withoutDate = (headerNames: string[]) => headerNames.filter((name) => name !== "x-acs-date");
    expect(await acs3({ sign: withoutDate })).toBe("IncompleteSignature");
  });
  it("takes a nonce only once", async () => {
    const headers = { "x-acs-signature-nonce": randomUUID() };
    expect(await acs3({ headers })).toBe("ok");
    expect(await acs3({ headers })).toBe("SignatureNonceUsed");
  });
});

it("an unsigned request is refused, and what it carried stands nowhere in the history but by name", async () => {
  const response = await fetch(`http://${endpoint()}/?Action=DescribeNetworkInterfaces&Version=2014-05-26`);
  expect(await response.json()).toMatchObject({ Code: "MissingAccessKeyId", RequestId: expect.any(String), HostId: expect.any(String) });
  await list({ ...account });
  expect(JSON.stringify(lab.simulator.history())).not.toMatch(/lab-secret|"Signature"/);
});
