import { createCipheriv, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RoleCredentials, Secret } from "@terway/model";
import { FakeClock } from "@terway/model/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readAddonToken } from "./addon-token.ts";
import { type CredentialOptions, CredentialsError, openCredentials } from "./credentials.ts";

let directory: string;
let clock: FakeClock;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-credentials-"));
  clock = new FakeClock();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const open = (options: Partial<CredentialOptions> = {}) => openCredentials({ secretDirectory: directory, clock, ...options });
const key = (id: string) => ({ id: new Secret(id), secret: new Secret(`${id}-secret`) });
const write = (name: string, text: string) => writeFile(join(directory, name), text);

/** A metadata service whose role credentials live so long from each fetch; undefined when the service is away. */
function role(lifeMs: () => number | undefined) {
  let fetches = 0;
  return {
    count: () => fetches,
    roleCredentials: (): Promise<RoleCredentials | undefined> => {
      const life = lifeMs();
      fetches++;
      if (life === undefined) return Promise.reject(new Error("metadata is away"));
      return Promise.resolve({
        accessKeyId: `sts-${fetches}`,
        accessKeySecret: "s",
        securityToken: "t",
        expiresAtMs: clock.wallMs() + life,
      });
    },
  };
}

/** The file as the managed control plane writes it. */
function addonToken(keyring: string, expiration: string): string {
  const hide = (text: string) => {
    const iv = randomBytes(16);
    const cipher = createCipheriv(`aes-${keyring.length * 8}-cbc`, keyring, iv);
    return Buffer.concat([iv, cipher.update(text), cipher.final()]).toString("base64");
  };
  return JSON.stringify({
    "access.key.id": hide("STS.id"),
    "access.key.secret": hide("hidden"),
    "security.token": hide("a longer token ".repeat(20)),
    expiration,
    keyring,
  });
}

describe("where they come from", () => {
  test("mounted files win, then eni_conf, then the add-on's token, then the role", async () => {
    const metadata = role(() => 3_600_000);
    await write("token", addonToken("0123456789abcdef", "2099-01-01T00:00:00Z"));
    let accessKey: ReturnType<typeof key> | undefined = key("conf");
    let credentialPath: string | undefined = join(directory, "token");
    const source = open({ metadata, accessKey: () => accessKey, credentialPath: () => credentialPath });
    await write("access-key-id", "file\n");
    await write("access-key-secret", "file-secret\n");
    expect(await source.current()).toEqual({ accessKeyId: "file", accessKeySecret: "file-secret", provider: "static_ak" });
    await rm(join(directory, "access-key-id"));
    source.refused();
    expect(await source.current()).toEqual({ accessKeyId: "conf", accessKeySecret: "conf-secret", provider: "static_ak" });
    accessKey = undefined;
    source.refused();
    expect(await source.current()).toMatchObject({
      accessKeyId: "STS.id",
      accessKeySecret: "hidden",
      securityToken: "a longer token ".repeat(20),
      provider: "static_sts",
    });
    credentialPath = undefined;
    source.refused();
    expect(await source.current()).toMatchObject({ accessKeyId: "sts-1", provider: "ecs_ram_role" });
  });

  test("nowhere: the error says where was looked", async () => {
    const error = await open({ metadata: { roleCredentials: () => Promise.resolve(undefined) } })
      .current()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CredentialsError);
    expect(String(error)).toContain(directory);
    expect(String(error)).toContain("`access_key`");
    expect(String(error)).toContain("RAM role");
  });
});

describe("rotation without a restart", () => {
  test("a changed file counts within ten seconds, or at once after a refusal", async () => {
    await write("access-key-id", "one");
    await write("access-key-secret", "s");
    const source = open();
    expect((await source.current()).accessKeyId).toBe("one");
    await write("access-key-id", "two");
    await clock.advance(9_999);
    expect((await source.current()).accessKeyId).toBe("one");
    await clock.advance(1);
    expect((await source.current()).accessKeyId).toBe("two");
    await write("access-key-id", "three");
    source.refused();
    expect((await source.current()).accessKeyId).toBe("three");
  });

  test("those of the role are fetched once, for all who ask at the same time, and renewed before they end", async () => {
    const metadata = role(() => 3_600_000);
    const source = open({ metadata });
    await Promise.all(Array.from({ length: 10 }, () => source.current()));
    await clock.advance(44 * 60_000);
    expect((await source.current()).accessKeyId).toBe("sts-1");
    await clock.advance(2 * 60_000);
    expect((await source.current()).accessKeyId).toBe("sts-2");
    expect(metadata.count()).toBe(2);
  });

  test("short-lived ones are not fetched for every call", async () => {
    const metadata = role(() => 600_000);
    const source = open({ metadata });
    for (let call = 0; call < 10; call++) {
      await source.current();
      await clock.advance(30_000);
    }
    expect(metadata.count()).toBe(1);
  });

  test("F31: metadata away: what is valid is used to its end, with a try every 30 s, then it is an error", async () => {
    let life: number | undefined = 3_600_000;
    const metadata = role(() => life);
    const source = open({ metadata });
    await source.current();
    life = undefined;
    await clock.advance(46 * 60_000);
    for (let call = 0; call < 100; call++) expect((await source.current()).accessKeyId).toBe("sts-1");
    expect(metadata.count()).toBe(2);
    await clock.advance(30_000);
    await source.current();
    expect(metadata.count()).toBe(3);
    await clock.advance(15 * 60_000);
    await expect(source.current()).rejects.toThrow("metadata is away");
    life = 3_600_000;
    expect((await source.current()).accessKeyId).toMatch(/^sts-/);
  });
});

describe("the add-on's token file", () => {
  test.each([16, 24, 32])("with a key of %i bytes", (length) => {
    const read = readAddonToken(addonToken("k".repeat(length), "2030-05-06T07:08:09Z"));
    expect(read).toEqual({
      ok: true,
      credentials: {
        accessKeyId: "STS.id",
        accessKeySecret: "hidden",
        securityToken: "a longer token ".repeat(20),
        expiresAtMs: Date.UTC(2030, 4, 6, 7, 8, 9),
      },
    });
  });

  test.each([
    ["", "is no JSON"],
    ["{}", "lacks `access.key.id`"],
    [addonToken("0123456789abcdef", "soon"), "`expiration` is no time"],
    [addonToken("0123456789abcdef", "2030-05-06T07:08:09Z").replace("0123456789abcdef", "fedcba9876543210"), "cannot be decrypted"],
    [addonToken("0123456789abcdef", "2030-05-06T07:08:09Z").replace("0123456789abcdef", "short"), "cannot be decrypted"],
  ])("refused with a reason: %#", async (text, problem) => {
    const read = readAddonToken(text);
    expect(!read.ok && read.problem).toContain(problem);
    await write("token", text);
    await expect(open({ credentialPath: () => join(directory, "token") }).current()).rejects.toThrow("`credential_path`");
  });

  test("expired, or not there", async () => {
    await write("token", addonToken("0123456789abcdef", "2020-01-01T00:00:00Z"));
    await expect(open({ credentialPath: () => join(directory, "token") }).current()).rejects.toThrow("expired");
    await expect(open({ credentialPath: () => join(directory, "none") }).current()).rejects.toThrow("cannot be read");
  });
});
