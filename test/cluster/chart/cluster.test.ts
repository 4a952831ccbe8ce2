import { setTimeout as sleep } from "node:timers/promises";
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
import { documentCases } from "../documents/cases.ts";
import { Flow } from "../flow.ts";
import { createNamespace, listEvents, podNetns } from "../objects.ts";
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
  await until("each node tells how many addresses it can have", 30_000, async () => {
    const told = await kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.annotations.k8s\\.aliyun\\.com/max-available-ip}");
    return /^\d+ \d+$/.test(told);
  });
  for (const line of (await kubectl("-n", "kube-system", "logs", "-l", "app=terway", "--tail=-1")).split("\n"))
    expect(line).not.toMatch(/forbidden|Forbidden/);
});

test("the documents' command for a full reconcile works with the rights that the chart gives: done, said, and the annotation gone", async () => {
  const [node] = cluster().nodes;
  if (node === undefined) throw new Error("no nodes");
  await kubectl("annotate", "node", node.on.name, "--overwrite", "terway.aliyun.com/reconcile=true");
  await until("the event says what was done", 60_000, async () =>
    (await listEvents(cluster().client, "default", "SyncOpenAPISuccess")).some(
      ({ message, involvedObject }) => involvedObject.name === node.on.name && message.includes("0 released"),
    ),
  );
  expect(await kubectl("get", "node", node.on.name, "-o", "jsonpath={.metadata.annotations}")).not.toContain("terway.aliyun.com/reconcile");
});

documentCases(cluster);

test("terway-cli doctor, in the default container", async () => {
  const doctor = await kubectl("-n", "kube-system", "exec", "daemonset/terway-eniip", "--", "terway-cli", "doctor");
  expect(doctor).toContain("the cloud has refused no call for lack of permission");
});

test("helm upgrade and rollback replace the daemons: a connection lives on, and pods that come meanwhile get their network at the first try", async () => {
  const { client, nodes } = cluster();
  const before = await listPods(client, "apps");
  const [first, second] = [
    before.find(({ metadata }) => metadata.name === "one-node-a"),
    before.find(({ metadata }) => metadata.name === "two-node-b"),
  ];
  const [node] = nodes;
  if (first === undefined || second === undefined || node === undefined) throw new Error("the pods of the first test are not there");
  const flow = await Flow.open(await podNetns(node, first), second.status.podIPs[0]?.ip ?? "");
  const daemons = () => kubectl("-n", "kube-system", "get", "pods", "-l", "app=terway", "-o", "jsonpath={.items[*].metadata.uid}");
  const old = await daemons();
  const upgrade = withValues({ ...values(), logLevel: "debug" }, (file) =>
    // What was edited by hand meanwhile belongs to the hand until somebody says otherwise.
    helm("upgrade", "terway", chart, "-f", file, "--force-conflicts", "--wait", "--timeout", "180s"),
  );
  const meanwhile = 6;
  for (let index = 0; index < meanwhile; index++) {
    await createPod(client, { namespace: "apps", name: `meanwhile-${index}`, nodeName: node.on.name });
    await sleep(1_000);
  }
  await upgrade;
  expect(await daemons()).not.toBe(old);
  await podsReady(client, "apps", 4 + meanwhile, 60_000);
  await helm("rollback", "terway", "1", "--force-conflicts", "--wait", "--timeout", "180s");
  const addresses = (pods: typeof before) =>
    pods.filter(({ metadata }) => !metadata.name.startsWith("meanwhile")).map(({ status }) => status.podIPs);
  expect(addresses(await listPods(client, "apps"))).toEqual(addresses(before));
  expect(await disagreements(cluster(), ["apps"])).toEqual([]);
  const refused = await listEvents(client, "apps", "FailedCreatePodSandBox");
  expect(refused.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`)).toEqual([]);

  await helm("uninstall", "terway", "--wait");
  const { error, sent, received, longestGapMs } = await flow.close();
  console.log(`through upgrade, rollback and uninstall: ${received} of ${sent} lines answered, ${longestGapMs} ms without one at most`);
  expect(error).toBeUndefined();
  expect(sent - received).toBeLessThan(50);
});
