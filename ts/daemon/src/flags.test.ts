import { expect, test } from "vitest";
import { helpText, readFlags } from "./flags.ts";

test("defaults are Terway's places", () => {
  expect(readFlags([], { NODE_NAME: "node-1" })).toMatchObject({
    kind: "run",
    flags: {
      files: { config: "/etc/eni/eni_conf", cniConf: "/etc/eni/10-terway.conf" },
      runDir: "/var/run/eni",
      stateDir: "/var/lib/cni/terway",
      bpffs: "/sys/fs/bpf",
      cniConfDir: "/etc/cni/net.d",
      nodeName: "node-1",
    },
  });
});

test("a flag wins over the environment", () => {
  const env = { LOG_LEVEL: "warn", NODE_NAME: "env" };
  expect(readFlags(["--log-level", "debug", "--node-name", "flag"], env)).toMatchObject({ flags: { logLevel: "debug", nodeName: "flag" } });
  expect(readFlags([], env)).toMatchObject({ flags: { logLevel: "warn", nodeName: "env" } });
});

test("all problems at once", () => {
  const result = readFlags(["--rule-form", "loose", "--cool-down=soon"], { LOG_LEVEL: "loud", TERWAY_ECS_ENDPOINT: "ecs.example" });
  expect(result.kind === "error" && result.problems.map((line) => line.split(":")[0])).toEqual([
    "--cool-down",
    "LOG_LEVEL",
    "TERWAY_ECS_ENDPOINT",
    "--rule-form",
  ]);
  expect(readFlags(["--nope"], {})).toMatchObject({ kind: "error" });
});

test.each([
  [":15432", { host: "", port: 15432 }],
  ["127.0.0.1:80", { host: "127.0.0.1", port: 80 }],
  ["[::1]:15432", { host: "::1", port: 15432 }],
  ["15432", undefined],
  [":0", undefined],
  ["::1:80", undefined],
  [":70000", undefined],
])("--metrics-listen %s", (text, expected) => {
  const result = readFlags([`--metrics-listen=${text}`], {});
  expect(result.kind === "run" ? result.flags.metricsListen : undefined).toEqual(expected);
  expect(result.kind).toBe(expected === undefined ? "error" : "run");
});

test("Kubernetes objects: a directory wins over the pod's own API server, a kubeconfig needs the node's name, one place is enough", () => {
  const pod = { KUBERNETES_SERVICE_HOST: "10.0.0.1", NODE_NAME: "node-1" };
  const place = (args: string[], env: Record<string, string>) => {
    const result = readFlags(args, env);
    return result.kind === "run" ? result.flags.cluster : result;
  };
  expect(place([], pod)).toEqual({ inCluster: true });
  expect(place([], { KUBERNETES_SERVICE_HOST: "10.0.0.1" })).toBeUndefined();
  expect(place(["--objects", "/objects"], pod)).toEqual({ directory: "/objects" });
  expect(place(["--kubeconfig", "/config"], pod)).toEqual({ kubeconfig: "/config" });
  expect(readFlags([], pod)).not.toHaveProperty("flags.files");
  expect(readFlags(["--config", "/eni_conf"], pod)).toMatchObject({ flags: { files: { config: "/eni_conf" } } });
  expect(place(["--kubeconfig", "/config"], {})).toMatchObject({ problems: [expect.stringContaining("NODE_NAME")] });
  expect(place(["--kubeconfig", "/config", "--objects", "/objects"], pod)).toMatchObject({ kind: "error" });
});

test("--help names every flag", () => {
  expect(readFlags(["--help"], {})).toEqual({ kind: "help" });
  for (const flag of [
    "config",
    "cni-conf",
    "cni-conf-dir",
    "run-dir",
    "state-dir",
    "node-name",
    "rule-form",
    "cool-down",
    "learning-window",
    "log-level",
  ]) {
    expect(helpText).toContain(`--${flag} `);
  }
});
