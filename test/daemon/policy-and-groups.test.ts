import { join } from "node:path";
import { defaultPlan, probe, repositoryRoot, until } from "@terway/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve } from "../../ts/lab/src/lab/group-matrix.ts";
import type { ApiCluster, ApiPod } from "../../ts/policy/src/testing/api.ts";
import { ObjectFiles } from "../conformance-policy/objects.ts";
import { type Pod, TestNode } from "./support/test-node.ts";

/** Two pods of one node on ENIs with different security groups: what passes must be allowed by the group of the receiver and by the policies of both. */
const agent = join(repositoryRoot, "dist/bin/lab-agent");
const ports = [80, 81, 82, 83] as const;
let node: TestNode;
let objects: ObjectFiles;
const sandboxes = new Map<string, Pod>();
const addresses = new Map<string, string[]>();
const stops: (() => void)[] = [];
const names = ["one", "two", "three", "four"];

beforeAll(async () => {
  const plan = defaultPlan();
  const { elsewhere: _, ...rest } = plan;
  // Whoever has `usual` may ask `closed` on two ports; nothing passes the other way.
  const ingress = [{ IpProtocol: "tcp", PortRange: "80/81", SourceGroupId: "usual" }];
  const nodes = plan.nodes.slice(0, 1).map((one) => ({ ...one, instanceType: "ecs.g7.large" }));
  // Six addresses on each ENI: the seventh makes the second one.
  const pool = { min_pool_size: 7, max_pool_size: 12, eni_selection_policy: "least_ips" };
  node = await TestNode.create(pool, { bpffs: true, plan: { ...rest, nodes, delays: "fast", groups: { usual: {}, closed: { ingress } } } });
  objects = new ObjectFiles(join(node.directory, "objects"));
  await node.writeConf({ ...pool, security_group: node.lab.world.groups.usual });
  await node.start();
  const last = (await node.mapping()).enis.filter((eni) => eni.addresses.length > 0).at(-1)?.id ?? "";
  const closed = node.lab.world.groups.closed ?? "";
  await node.lab.cloud.call("ModifyNetworkInterfaceAttribute", { NetworkInterfaceId: last, "SecurityGroupId.1": closed });
  // A daemon that starts looks at the cloud's groups before it gives an address.
  await node.restart("SIGTERM");
  await write([]);
  for (const name of names) await start(name);
}, 180_000);
afterAll(async () => {
  for (const stop of stops) stop();
  for (const pod of sandboxes.values()) await node.end(pod);
  await node?.destroy();
});

function write(policies: ApiCluster["policies"]): Promise<void> {
  const pods = names.map(
    (name): ApiPod => ({
      ...{ namespace: "x", name, labels: { app: name }, ports: [], hostNetwork: false, finished: false },
      addresses: addresses.get(name) ?? [],
    }),
  );
  return objects.write({ namespaces: [{ name: "x", labels: {} }], pods, policies }, () => node.name);
}

/** ADD, the first or a repeated one, which ends when all that the files say is in the kernel. */
async function add(name: string): Promise<void> {
  const pod = sandboxes.get(name);
  const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=x;K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${pod?.containerId}`;
  const answer = await node.cni("ADD", pod, { args });
  if (answer.exitCode !== 0) throw new Error(JSON.stringify(answer.output));
  addresses.set(
    name,
    ((answer.output?.ips ?? []) as { address: string }[]).map(({ address }) => address.split("/")[0] ?? ""),
  );
}

async function start(name: string): Promise<void> {
  const pod = await node.pod(name);
  sandboxes.set(name, pod);
  await add(name);
  for (const port of ports) stops.push(await serve(agent, pod.netns, port));
}

/** The ports that are answered. */
async function open(from: string, to: string): Promise<number[]> {
  const addr = addresses.get(to)?.[0] ?? "";
  const netns = sandboxes.get(from)?.netns ?? "";
  const outcomes = await probe(
    agent,
    netns,
    ports.map((port) => ({ id: String(port), proto: "tcp" as const, addr, port, timeoutMs: 1_000 })),
  );
  return ports.filter((_, index) => outcomes[index]?.ok === true);
}

test("what passes between groups must be allowed by policy too, and the other way round", { timeout: 120_000 }, async () => {
  const { enis } = await node.mapping();
  const eniOf = (name: string) => enis.find((eni) => eni.addresses.some(({ address }) => addresses.get(name)?.includes(address)))?.id;
  const first = enis.find((eni) => eni.addresses.length > 0)?.id;
  const [usual = "", other = ""] = names.filter((name) => eniOf(name) === first);
  const [closed = ""] = names.filter((name) => eniOf(name) !== first);
  await until("the pods answer", 20_000, async () => (await open(usual, other)).length === ports.length);
  // The groups alone: two ports one way, none the other; on one ENI nobody is asked.
  expect([await open(usual, closed), await open(closed, usual)]).toEqual([[80, 81], []]);

  const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });
  const allow = (name: string, spec: Record<string, unknown>) => ({
    metadata: { namespace: "x", name },
    spec: spec as ApiCluster["policies"][number]["spec"],
  });
  await write([allow("in", { ...app(closed), ingress: [{ from: [app(usual)], ports: [{ port: 81 }, { port: 82 }] }] })]);
  await add(usual);
  // Policy allows 81 and 82, the groups 80 and 81.
  expect(await open(usual, closed)).toEqual([81]);
  expect(await open(other, closed)).toEqual([]);

  await write([allow("out", { ...app(usual), policyTypes: ["Egress"], egress: [{ ports: [{ port: 80 }, { port: 83 }] }] })]);
  await add(usual);
  expect(await open(usual, closed)).toEqual([80]);
  // Between pods of one ENI the policy decides alone.
  expect(await open(usual, other)).toEqual([80, 83]);

  // What policy allows the groups still refuse.
  await write([allow("in", { ...app(usual), ingress: [{ from: [app(closed)] }] })]);
  await add(usual);
  expect(await open(closed, usual)).toEqual([]);
  expect(await open(other, usual)).toEqual([]);
});
