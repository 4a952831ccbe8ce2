import { run, until } from "@terway/lab";
import { versionAnnotation } from "@terway/model";
import { beforeAll, describe, expect, test } from "vitest";
import { useControlPlane } from "../control-plane-fixture.ts";
import { create, createNamespace, createPod, nodes as nodeResource } from "../kube/objects.ts";
import { cases, chart, helm, manifestsOf, template, withValues } from "./helm.ts";

const plane = useControlPlane();

const kubectl = async (args: readonly string[], options: { input?: string; allow?: readonly number[] } = {}) =>
  run([plane().program("kubectl"), ...args], { ...options, env: { KUBECONFIG: plane().admin }, timeoutMs: 60_000 });
const installed = (args: readonly string[]) => helm(args, { KUBECONFIG: plane().admin });

describe("the API server takes every rendering (server-side dry run)", () => {
  test.each(Object.keys(cases))("%s", async (name) => {
    const one = cases[name];
    if (one === undefined) throw new Error(name);
    const text = await template({ ...one, kubernetes: one.kubernetes ?? "1.36.0" });
    const { stdout, stderr } = await kubectl(["apply", "--dry-run=server", "--validate=strict", "-f", "-"], { input: text });
    expect(stdout.trim().split("\n")).toHaveLength(manifestsOf(text).length);
    // Fields that are deprecated or unknown come as warnings.
    if (one.kubernetes === undefined) expect(stderr).toBe("");
  });

  test("terway-metric.yml", async () => {
    await kubectl(["apply", "--dry-run=server", "--validate=strict", "-f", "helm/terway-metric.yml"]);
  });
});

describe("installed by Helm", () => {
  const daemon = "system:serviceaccount:kube-system:terway";
  const as = (node: string | undefined) => [
    `--as=${daemon}`,
    "--as-group=system:serviceaccounts",
    ...(node === undefined ? [] : [`--as-user-extra=authentication.kubernetes.io/node-name=${node}`]),
  ];

  beforeAll(async () => {
    await installed(["install", "terway", chart, "-n", "kube-system"]);
    // kubectl reads a node before it changes it; the daemon does not.
    await kubectl(["create", "clusterrole", "for-kubectl", "--verb=get", "--resource=nodes"]);
    await kubectl(["create", "clusterrolebinding", "for-kubectl", "--clusterrole=for-kubectl", "--serviceaccount=kube-system:terway"]);
    for (const name of ["node-a", "node-b"]) await create(plane().client, nodeResource, undefined, { metadata: { name } });
    await createNamespace(plane().client, "apps");
    await createPod(plane().client, "apps", "on-a", "node-a");
    await createPod(plane().client, "apps", "on-b", "node-b");
  });

  test("the definitions are served, with their columns", async () => {
    for (const plural of ["podenis", "podnetworkings", "nodes", "noderuntimes", "networkinterfaces"])
      await kubectl(["wait", "--for=condition=Established", `crd/${plural}.network.alibabacloud.com`, "--timeout=20s"]);
    const object = (kind: string, spec: object) =>
      JSON.stringify({ apiVersion: "network.alibabacloud.com/v1beta1", kind, metadata: { name: "x" }, spec });
    await kubectl(["apply", "-f", "-"], { input: object("PodNetworking", { eniOptions: {}, securityGroupIDs: ["sg-1"] }) });
    const { stdout } = await kubectl(["get", "podnetworkings", "x", "-o", "jsonpath={.spec.eniOptions.eniType}"]);
    expect(stdout).toBe("Default");
    const refused = await kubectl(["apply", "-f", "-"], {
      input: object("PodNetworking", { eniOptions: { eniType: "trunk" } }),
      allow: [1],
    });
    expect(refused.stderr).toContain('Unsupported value: "trunk"');
    await kubectl(["apply", "-f", "-"], { input: object("NetworkInterface", {}) });
    expect((await kubectl(["get", "networkinterfaces"])).stdout).toMatch(
      /^NAME +PHASE +INSTANCEID +TRUNKENIID +NODENAME +PODNAMESPACE +PODNAME +TYPE/,
    );
  });

  describe("a node's daemon", () => {
    const annotate = (node: string | undefined, object: readonly string[], annotation: string) =>
      kubectl(["annotate", "--overwrite", ...object, annotation, ...as(node)], { allow: [1] });

    beforeAll(async () => {
      // The policy holds some time after it was made.
      await until(
        "the admission policy holds",
        30_000,
        async () => (await annotate("node-a", ["node", "node-b"], "k8s.aliyun.com/probe=1")).code === 1,
      );
    });

    test.each([
      ["its own node", ["node", "node-a"], "k8s.aliyun.com/max-available-ip=5"],
      ["a pod on it", ["-n", "apps", "pod", "on-a"], "k8s.aliyun.com/pod-ips=10.0.0.1"],
      ["its own node, the reconcile request", ["node", "node-a"], "terway.aliyun.com/reconcile-"],
    ])("may annotate %s", async (_, object, annotation) => {
      expect(await annotate("node-a", object, annotation)).toMatchObject({ code: 0 });
    });

    test.each([
      [
        "another node",
        "node-a",
        ["node", "node-b"],
        "k8s.aliyun.com/max-available-ip=5",
        "the daemon of node node-a may not change node node-b",
      ],
      ["a pod elsewhere", "node-a", ["-n", "apps", "pod", "on-b"], "k8s.aliyun.com/pod-ips=10.0.0.1", "may not change pods of other nodes"],
      ["other people's annotations", "node-a", ["node", "node-a"], "scheduler.example/weight=1", "annotations of k8s.aliyun.com"],
      ["anything without a node in its token", undefined, ["node", "node-a"], "k8s.aliyun.com/x=1", "does not say on which node"],
    ])("may not annotate %s", async (_, node, object, annotation, message) => {
      const { code, stderr } = await annotate(node, object, annotation);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(message) });
    });

    test("may not label, taint or cordon its node", async () => {
      for (const args of [
        ["label", "node", "node-a", "a=b"],
        ["taint", "node", "node-a", "a=b:NoSchedule"],
        ["cordon", "node-a"],
      ]) {
        // Whatever kubectl makes of it: `cordon` ends with 0.
        const { stderr } = await kubectl([...args, ...as("node-a")], { allow: [1] });
        expect({ args, stderr }).toEqual({ args, stderr: expect.stringContaining("neither labels nor spec") });
      }
    });

    test("may write conditions and resources of its own node only", async () => {
      const object = (name: string) => ({
        apiVersion: "v1",
        kind: "Node",
        metadata: { name },
        status: { capacity: { "aliyun/eni": "3" } },
      });
      const apply = ["apply", "--server-side", "--subresource=status", "--field-manager=terwayd", "-f", "-", ...as("node-a")];
      const write = (node: string) => kubectl(apply, { input: JSON.stringify(object(node)), allow: [1] });
      expect(await write("node-a")).toMatchObject({ code: 0, stderr: "" });
      expect(await write("node-b")).toMatchObject({ code: 1, stderr: expect.stringContaining("may not change node node-b") });
    });

    test.each([
      ["get pods -A", true],
      ["watch networkpolicies -A", true],
      ["list configmaps -n kube-system", true],
      ["list podenis.network.alibabacloud.com -A", true],
      ["create events -n default", true],
      ["get secrets -n kube-system", false],
      ["list configmaps -n default", false],
      ["delete pods -n apps", false],
      ["update nodes", false],
      ["create pods/exec -n apps", false],
      ["patch podenis.network.alibabacloud.com -n apps", false],
    ])("rights: %s is %s", async (what, allowed) => {
      const { stdout } = await kubectl(["auth", "can-i", ...what.split(" "), ...as("node-a")], { allow: [1] });
      expect(stdout.trim()).toBe(allowed ? "yes" : "no");
    });

    test("nobody else is held back", async () => {
      await kubectl(["label", "node", "node-b", "somebody=else"]);
    });
  });

  test("upgrade brings an old definition up to date, rollback brings the configuration back, uninstall keeps the objects", async () => {
    const definition = "crd/podnetworkings.network.alibabacloud.com";
    const versionOf = async () =>
      JSON.parse((await kubectl(["get", definition, "-o", "json"])).stdout).metadata.annotations[versionAnnotation];
    const poolOf = async () =>
      JSON.parse(JSON.parse((await kubectl(["-n", "kube-system", "get", "cm", "eni-config", "-o", "json"])).stdout).data.eni_conf)
        .max_pool_size;
    await kubectl(["annotate", "--overwrite", definition, `${versionAnnotation}=v0.0.1`]);
    await withValues({ eniConf: { max_pool_size: 9 } }, (file) =>
      installed(["upgrade", "terway", chart, "-n", "kube-system", "-f", file, "--force-conflicts"]),
    );
    expect([await versionOf(), await poolOf()]).toEqual(["v0.1.0", 9]);
    await installed(["rollback", "terway", "1", "-n", "kube-system"]);
    expect(await poolOf()).toBe(5);
    await installed(["uninstall", "terway", "-n", "kube-system"]);
    expect((await kubectl(["get", "podnetworkings", "x", "-o", "name"])).stdout.trim()).toBe("podnetworking.network.alibabacloud.com/x");
    const left = await kubectl(["-n", "kube-system", "get", "ds,cm,sa,role,rolebinding", "-o", "name"]);
    expect(left.stdout).not.toContain("terway");
    expect((await kubectl(["get", "validatingadmissionpolicy,validatingadmissionpolicybinding", "-o", "name"])).stdout).not.toContain(
      "terway",
    );
  });
});
