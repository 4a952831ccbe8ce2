import { expect, test } from "vitest";
import { readFlags } from "./flags.ts";

const pod = { KUBERNETES_SERVICE_HOST: "172.16.0.1", POD_NAME: "terway-controlplane-0" };

test("one dash and two are the same, and a pod knows its API server and its name", () => {
  const [one, two] = [readFlags(["-config", "/a", "-v=4"], pod), readFlags(["--config=/a", "--v", "4"], pod)];
  expect(one).toEqual(two);
  expect(one).toMatchObject({
    kind: "run",
    flags: { config: "/a", api: { inCluster: true }, identity: "terway-controlplane-0", logLevel: "debug" },
  });
});

test("the role of the service account is taken when all three of its variables are there", () => {
  const role = { ALIBABA_CLOUD_ROLE_ARN: "r", ALIBABA_CLOUD_OIDC_PROVIDER_ARN: "p", ALIBABA_CLOUD_OIDC_TOKEN_FILE: "/t" };
  const expected = { kind: "run", flags: { oidcRole: { roleArn: "r", providerArn: "p", tokenFile: "/t" } } };
  expect(readFlags([], { ...pod, ...role })).toMatchObject(expected);
  expect(readFlags([], { ...pod, ...role, ALIBABA_CLOUD_OIDC_TOKEN_FILE: "" })).not.toMatchObject(expected);
});

test.each([
  ["nobody to talk to", [], {}, "no API server"],
  ["an unknown flag", ["--nonsense"], pod, "nonsense"],
  ["no URL", [], { ...pod, TERWAY_ECS_ENDPOINT: "ecs" }, "TERWAY_ECS_ENDPOINT"],
  ["an unknown level", [], { ...pod, LOG_LEVEL: "loud" }, "LOG_LEVEL"],
])("%s is refused", (_, args, env, word) => {
  const result = readFlags(args, env);
  expect(result.kind === "error" && result.problems.join()).toContain(word);
});
