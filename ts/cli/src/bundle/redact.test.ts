import fc from "fast-check";
import { expect, test } from "vitest";
import { redact, redactText } from "./redact.ts";

const secret = "s3cr3tV4lueOfNobody";

test.each([
  ["a key", { access_secret: secret }],
  ["a key in another spelling", { credentials: { AccessKeySecret: secret } }],
  ["a text that is JSON", { data: { eni_conf: JSON.stringify({ max_pool_size: 5, access_secret: secret }) } }],
  ["JSON in a list", [{ x: `[{"password": "${secret}"}]` }]],
  ["a text that was meant to be JSON", { eni_conf: `{"access_secret": "${secret}", "max_pool_size": }` }],
  ["a line of text", `request failed: SecurityToken=${secret} retrying`],
  ["an object under a secret key", { access_key: { value: secret } }],
])("gone: %s", (_, value) => {
  expect(JSON.stringify(redact(value))).not.toContain(secret);
});

test("AccessKey ids and STS tokens go wherever they stand", () => {
  expect(redactText("key LTAI5tAbCdEfGhIjKlMn refused for STS.NUabcdef12345")).toBe("key ****** refused for ******");
});

test("what is no secret stays", () => {
  const conf = { vswitches: { "cn-a": ["vsw-1"] } };
  const value = { max_pool_size: 5, credential_path: "/var/addon/token-config", eni_conf: JSON.stringify(conf), list: ["eni-1", null] };
  expect(redact(value)).toEqual({ ...value, eni_conf: JSON.stringify(conf, undefined, 2) });
});

test("property: however deep, a value under a secret key never comes through", () => {
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.constant({ access_secret: secret }),
      fc.dictionary(fc.string(), tie("tree")),
      fc.array(tie("tree")),
      tie("tree").map((inner) => JSON.stringify(inner)),
    ),
  }));
  fc.assert(fc.property(tree, (value) => !JSON.stringify(redact(value)).includes(secret)));
});
