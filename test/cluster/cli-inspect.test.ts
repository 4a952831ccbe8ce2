import { run } from "@terway/lab";
import { beforeAll, expect, test } from "vitest";
import { useControlPlane } from "./control-plane-fixture.ts";
import { create, createNamespace, nodes, pods } from "./kube/objects.ts";

const plane = useControlPlane();

/** By the scripts that the troubleshooting document names, which call `terway-cli inspect`. */
const inspect = async (what: string, ...args: string[]) =>
  run([`scripts/inspect-terway-${what}.sh`, ...args], { env: { KUBECONFIG: plane().admin }, allow: [1, 2, 3, 4] });
const facts = async (what: string, ...args: string[]): Promise<{ section: string; name: string; value: string; note?: string }[]> =>
  JSON.parse((await inspect(what, ...args, "-o", "json")).stdout);
const apply = (object: object) =>
  run([plane().program("kubectl"), "apply", "-f", "-"], { env: { KUBECONFIG: plane().admin }, input: JSON.stringify(object) });

beforeAll(async () => {
  const inSystem = (name: string) => ({ name, namespace: "kube-system" });
  const eniConf = {
    ipam_type: "crd",
    max_pool_size: 7,
    enable_eni_trunking: true,
    access_key: "LTAI-none",
    access_secret: "nobodys",
    max_pol_size: 1,
  };
  await apply({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: inSystem("eni-config"),
    data: { eni_conf: JSON.stringify(eniConf), disable_network_policy: "false" },
  });
  await apply({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: inSystem("kube-proxy-worker"),
    data: { "config.conf": 'mode: "ipvs"\nclusterCIDR: 10.1.0.0/16\n' },
  });
  const labels = { app: "terway" };
  const container = {
    name: "terway",
    image: "mirror.example:5000/acs/terway:v9.8.7@sha256:0000000000000000000000000000000000000000000000000000000000000000",
  };
  const template = { metadata: { labels }, spec: { containers: [container] } };
  await apply({
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: inSystem("terway-eniip"),
    spec: { selector: { matchLabels: labels }, template },
  });
  const nodeLabels = {
    "k8s.aliyun.com/exclusive-mode-eni-type": "eniOnly",
    "terway-config": "gpu",
    "k8s.aliyun.com/no-kube-proxy": "true",
  };
  await create(plane().client, nodes, undefined, { metadata: { name: "node-a", labels: nodeLabels } });
  await createNamespace(plane().client, "apps");
  const annotations = {
    "k8s.aliyun.com/pod-eni": "true",
    "k8s.aliyun.com/pod-networks-request": "[]",
    "k8s.aliyun.com/pod-networking": "web",
  };
  const spec = { nodeName: "node-a", containers: [{ name: "c", image: "registry.terway.test/none:1" }] };
  await create(plane().client, pods, "apps", { metadata: { name: "web", annotations }, spec });
  await create(plane().client, pods, "apps", { metadata: { name: "host" }, spec: { ...spec, hostNetwork: true } });
});

test("cluster: version, kind of IPAM, kube-proxy, flags, what is wrong with the configuration; no secret", async () => {
  const found = await facts("cluster");
  const value = (section: string, name: string) => found.find((fact) => fact.section === section && fact.name === name);
  expect(value("Terway", "version")?.value).toBe("v9.8.7");
  expect(value("eni-config", "ipam_type")).toMatchObject({ value: "crd", note: expect.stringContaining("centralized") });
  expect(value("eni-config", "max_pool_size")?.value).toBe("7");
  expect(value("eni-config", "enable_eni_trunking")?.value).toBe("true");
  expect(value("eni-config", "max_pol_size")?.note).toContain("max_pool_size");
  expect(value("eni-config", "NetworkPolicy")?.value).toBe("on");
  expect(value("kube-proxy", "mode")?.value).toBe("ipvs");
  expect(value("kube-proxy", "cluster CIDR")?.value).toBe("10.1.0.0/16");
  expect(value("cluster", "service CIDR")).toMatchObject({ value: "not set", note: expect.stringContaining("no ACK cluster") });
  const { stdout } = await inspect("cluster");
  expect(stdout).toMatch(/^ {2}version +v9\.8\.7$/m);
  expect(stdout + JSON.stringify(found)).not.toMatch(/nobodys|LTAI-none/);
});

test("node: mode, dynamic configuration that is missing, labels; several at once; one that is not there", async () => {
  const found = Object.fromEntries((await facts("node", "node-a")).map((fact) => [fact.name, fact]));
  expect(found["ENI mode"]?.value).toBe("exclusive");
  expect(found["dynamic configuration"]).toMatchObject({ value: "gpu", note: "ConfigMap kube-system/gpu is not there" });
  expect(found["without kube-proxy"]?.value).toBe("true");
  expect(found.object).toMatchObject({ value: "none", note: expect.stringContaining("no centralized IPAM") });
  expect(await inspect("node", "node-a", "node-z")).toMatchObject({ code: 4, stderr: "terway-cli: there is no node node-z\n" });
});

test("pod: where its configuration comes from, and what contradicts itself", async () => {
  const found = Object.fromEntries((await facts("pod", "apps", "web")).map((fact) => [fact.name, fact]));
  expect(found["configuration from"]?.value).toBe("k8s.aliyun.com/pod-networks-request");
  expect(found.conflict).toMatchObject({ value: "pod-networks-request, pod-networking" });
  expect(found.PodENI).toMatchObject({ value: "not set", note: "PodENI apps/web is not there" });
  expect((await facts("pod", "apps", "host")).find((fact) => fact.name === "hostNetwork")).toMatchObject({
    value: "true",
    note: "Terway does nothing for this pod",
  });
});

test.each([
  [["pod", "apps"], 2, "both names are needed"],
  [["pod", "apps", "gone"], 4, "there is no pod apps/gone"],
  [["node"], 2, "no name is given"],
])("%s: status %d", async ([what = "", ...args], code, message) => {
  expect(await inspect(what, ...args)).toMatchObject({ code, stderr: expect.stringContaining(message) });
});
