import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock, SeededRandom } from "@terway/model/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCredentials } from "./credentials.ts";
import { assumeOidcRole, type OidcRole, oidcRoleOf } from "./oidc-role.ts";

let directory: string;
let server: Server;
let endpoint: URL;
let asked: URLSearchParams[];
let answer: () => { status: number; body: string };
const clock = new FakeClock();
const random = new SeededRandom(1);
const role = (): OidcRole => ({
  roleArn: "acs:ram::1:role/terway",
  providerArn: "acs:ram::1:oidc-provider/ack",
  tokenFile: join(directory, "token"),
  sessionName: "s",
});
const granted = (id: string, lifeMs: number) => ({
  status: 200,
  body: JSON.stringify({
    RequestId: "r",
    Credentials: { AccessKeyId: id, AccessKeySecret: "k", SecurityToken: "t", Expiration: new Date(clock.wallMs() + lifeMs).toISOString() },
  }),
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-oidc-"));
  await writeFile(join(directory, "token"), "one\n");
  asked = [];
  answer = () => granted(`STS.${asked.length}`, 3_600_000);
  server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      asked.push(new URLSearchParams(text));
      const { status, body } = answer();
      response.writeHead(status).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

test("the token of the file is exchanged, unsigned; each renewal reads the file again, and comes before the end", async () => {
  const source = openCredentials({
    clock,
    secretDirectory: directory,
    oidcRole: () => assumeOidcRole(role(), { clock, random, regionId: "r", endpoint }),
  });
  expect(await source.current()).toMatchObject({ accessKeyId: "STS.1", securityToken: "t", provider: "oidc_role_arn" });
  expect(Object.fromEntries(asked[0] ?? [])).toMatchObject({
    ...{
      Action: "AssumeRoleWithOIDC",
      Version: "2015-04-01",
      RoleArn: role().roleArn,
      OIDCProviderArn: role().providerArn,
      OIDCToken: "one",
    },
    DurationSeconds: "3600",
  });
  await clock.advance(44 * 60_000);
  await source.current();
  expect(asked).toHaveLength(1);
  await writeFile(join(directory, "token"), "two");
  await clock.advance(2 * 60_000);
  expect(await source.current()).toMatchObject({ accessKeyId: "STS.2" });
  expect(asked[1]?.get("OIDCToken")).toBe("two");
});

test("what was refused is named with the role", async () => {
  answer = () => ({ status: 400, body: JSON.stringify({ Code: "AuthenticationFail.NoPermission", Message: "no" }) });
  await expect(assumeOidcRole(role(), { clock, random, regionId: "r", endpoint })).rejects.toThrow(
    /role\/terway .*AuthenticationFail\.NoPermission.*trust policy/,
  );
  answer = () => ({ status: 502, body: "<html>" });
  await expect(assumeOidcRole(role(), { clock, random, regionId: "r", endpoint })).rejects.toThrow(/status 502/);
  await rm(join(directory, "token"));
  await expect(assumeOidcRole(role(), { clock, random, regionId: "r", endpoint })).rejects.toThrow(/ALIBABA_CLOUD_OIDC_TOKEN_FILE/);
});

test("only all three variables together name a role", () => {
  const env = { ALIBABA_CLOUD_ROLE_ARN: "a", ALIBABA_CLOUD_OIDC_PROVIDER_ARN: "b", ALIBABA_CLOUD_OIDC_TOKEN_FILE: "c" };
  expect(oidcRoleOf(env)).toEqual({ roleArn: "a", providerArn: "b", tokenFile: "c", sessionName: "terway" });
  for (const name of Object.keys(env)) expect(oidcRoleOf({ ...env, [name]: "" })).toBeUndefined();
});
