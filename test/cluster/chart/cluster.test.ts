import {
  containerRuntime,
  createPod,
  listPods,
  metadataAddress,
  openApiAddress,
  podsReady,
  repositoryRoot,
  run,
  terwaydConfig,
  until,
} from "@terway/lab";
import { beforeAll, expect, test } from "vitest";
import { disagreements } from "../agreement.ts";
import { useCluster } from "../cluster-fixture.ts";
import { createNamespace } from "../objects.ts";
import { chart, withValues } from "./helm.ts";

/** Nodes without a daemon, and the image on them: what a cluster is before `helm install`. */
const cluster = useCluster({ nodes: 2 });
const archive = "dist/image/terway-amd64.oci.tar";

const kubectl = async (...args: string[]) => (await run([cluster().wrapper("kubectl"), ...args], { timeoutMs: 120_000 })).stdout;
const helm = async (...args: string[]) =>
  (await run([cluster().wrapper("helm"), ...args, "-n", "kube-system"], { timeoutMs: 240_000 })).stdout;

/** As somebody would write them for this VPC; the credentials end in a Secret. */
function values(): object {
  const { lab, nodes } = cluster();
  const configs = nodes.map(({ on }) => terwaydConfig(lab.world, on.machine, { min: 2, max: 5 }));
  const [first] = configs;
  if (first === undefined) throw new Error("no nodes");
  const endpoints = { TERWAY_ECS_ENDPOINT: openApiAddress, TERWAY_VPC_ENDPOINT: openApiAddress, TERWAY_METADATA_ENDPOINT: metadataAddress };
  return {
    credentials: { accessKeyId: first.accessKeyId, accessKeySecret: first.accessKeySecret },
    eniConf: {
      ip_stack: "dual",
      service_cidr: first.serviceCidr,
      vswitches: Object.fromEntries(configs.map((config) => [config.zoneId, config.vSwitchIds])),
      security_groups: [first.securityGroupId],
      min_pool_size: 2,
    },
    coolDownSeconds: 1,
    extraEnv: Object.entries(endpoints).map(([name, host]) => ({ name, value: `http://${host}` })),
  };
}

beforeAll(async () => {
  await run(["bash", "scripts/image.sh"], { timeoutMs: 300_000 });
  const { ctr } = containerRuntime("debian");
  for (const { on } of cluster().nodes)
    await on.node.run([ctr, "-n", "k8s.io", "images", "import", "--no-unpack", `${repositoryRoot}/${archive}`], { timeoutMs: 120_000 });
});

test("helm install: nodes become Ready, pods get addresses, the daemon's rights are enough", async () => {
  const { client } = cluster();
  await withValues(values(), (file) => helm("install", "terway", chart, "-f", file, "--wait", "--timeout", "180s"));
  await cluster().ready();
  const namespace = await createNamespace(cluster(), "apps");
  for (const { on } of cluster().nodes)
    for (const name of ["one", "two"]) await createPod(client, { namespace, name: `${name}-${on.name}`, nodeName: on.name });
  const pods = await podsReady(client, namespace, 4, 120_000);
  expect(new Set(pods.flatMap(({ status }) => status.podIPs.map(({ ip }) => ip))).size).toBe(8);
  expect(await disagreements(cluster(), [namespace])).toEqual([]);
  // What it writes to the API server goes through its roles and the admission policy.
  await until("the addresses stand in the pods' annotations", 30_000, async () => {
    const annotations = await kubectl(
      "-n",
      namespace,
      "get",
      "pods",
      "-o",
      "jsonpath={.items[*].metadata.annotations.k8s\\.aliyun\\.com/pod-ips}",
    );
    return annotations.trim().split(/\s+/).length === 4;
  });
  expect(await kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.annotations.k8s\\.aliyun\\.com/max-available-ip}")).toMatch(
    /^\d+ \d+$/,
  );
  for (const line of (await kubectl("-n", "kube-system", "logs", "-l", "app=terway", "--tail=-1")).split("\n"))
    expect(line).not.toMatch(/forbidden|Forbidden/);
});

test("the commands of users' documents, in the default container", async () => {
  const exec = (...args: string[]) => kubectl("-n", "kube-system", "exec", "daemonset/terway-eniip", "--", "terway-cli", ...args);
  expect(await exec("list")).toContain("resource_pool");
  expect(await exec("show", "factory")).toContain("eni_count");
  expect(await exec("mapping")).toContain("agree");
  expect(await exec("doctor")).toContain("the cloud has refused no call for lack of permission");
  expect(await exec("inspect", "cluster")).toMatch(/ipam_type +default/);
  expect(await kubectl("-n", "kube-system", "get", "pods", "-l", "app=terway", "--no-headers")).toMatch(/terway-eniip-\w+ +1\/1 +Running/);
});

test("helm upgrade and rollback replace the daemons one after another; pods stay, new ones come", async () => {
  const { client } = cluster();
  const before = (await listPods(client, "apps")).map(({ status }) => status.podIPs);
  const restarts = () => kubectl("-n", "kube-system", "get", "pods", "-l", "app=terway", "-o", "jsonpath={.items[*].metadata.uid}");
  const old = await restarts();
  await withValues({ ...values(), logLevel: "debug" }, (file) =>
    helm("upgrade", "terway", chart, "-f", file, "--wait", "--timeout", "180s"),
  );
  expect(await restarts()).not.toBe(old);
  const [node] = cluster().nodes;
  await createPod(client, { namespace: "apps", name: "later", nodeName: node?.on.name ?? "" });
  await podsReady(client, "apps", 5, 60_000);
  await helm("rollback", "terway", "1", "--wait", "--timeout", "180s");
  expect((await listPods(client, "apps")).filter(({ metadata }) => metadata.name !== "later").map(({ status }) => status.podIPs)).toEqual(
    before,
  );
  expect(await disagreements(cluster(), ["apps"])).toEqual([]);
});
