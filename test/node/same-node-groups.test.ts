import {
  ClusterNode,
  containerRuntime,
  daemonSocket,
  defaultPlan,
  Lab,
  missingFiles,
  type Probe,
  probe,
  type RunningPod,
  requestJson,
  sweep,
  terwaydConfig,
  until,
} from "@terway/lab";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Pods of one node whose ENIs carry different groups: the groups decide, unless the node is told to deliver inside. */
const id = `s${process.pid.toString(36)}`;
let lab: Lab;
let on: ClusterNode;

/** Six addresses on each ENI: the seventh makes the second ENI. */
const pool = { min: 7, max: 12 };
const install = (extra: Readonly<Record<string, unknown>> = {}) => {
  const config = terwaydConfig(lab.world, on.machine, pool);
  const securityGroupId = lab.world.groups.usual ?? "";
  return on.install({ ...config, securityGroupId, extra: { eni_selection_policy: "least_ips", ...extra } });
};

beforeAll(async () => {
  const runtime = containerRuntime("debian");
  expect(await missingFiles(runtime)).toEqual([]);
  const plan = defaultPlan();
  const [node] = plan.nodes;
  if (node === undefined) throw new Error("the plan has no node");
  // Who has the groups `usual` may ask a closed pod by TCP; nothing else passes between the two.
  const ingress = [{ IpProtocol: "tcp", PortRange: "7/7", SourceGroupId: "usual" }];
  const groups = { usual: {}, closed: { ingress } };
  lab = await Lab.create(id, { ...plan, nodes: [{ ...node, instanceType: "ecs.g7.large" }], groups });
  const [machine] = lab.world.nodes;
  if (machine === undefined) throw new Error("the lab has no node");
  on = await ClusterNode.start(lab, machine, runtime);
  await install();
  await on.startDaemon();
  await on.warm(60_000);
  const { enis } = await on.mapping();
  const last = enis.filter((eni) => eni.addresses.length > 0).at(-1)?.id ?? "";
  const closed = lab.world.groups.closed ?? "";
  await lab.cloud.call("ModifyNetworkInterfaceAttribute", { NetworkInterfaceId: last, "SecurityGroupId.1": closed });
});

afterAll(async () => {
  on?.containerd.cri.close();
  expect(await sweep(id)).toEqual([]);
});

/** A daemon that starts looks at the cloud before it gives an address. */
async function restart(extra: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await on.stopDaemon();
  await install(extra);
  await on.startDaemon();
  await on.warm(60_000);
}

/** Two pods of the ENI with the node's groups and two of the closed one. */
async function fourPods(series: string): Promise<Record<"usual" | "closed", [RunningPod, RunningPod]>> {
  const pods: RunningPod[] = [];
  for (const number of [1, 2, 3, 4]) pods.push(await on.runPod({ namespace: "groups", name: `${series}${number}` }));
  const { enis } = await on.mapping();
  const eniOf = (pod: RunningPod) => enis.find((eni) => eni.addresses.some(({ address }) => pod.addresses.includes(address)))?.id ?? "";
  const [first, second] = [...new Set(enis.filter((eni) => eni.addresses.length > 0).map((eni) => eni.id))];
  const ofEni = (eni: string | undefined) => {
    const [one, other, ...more] = pods.filter((pod) => eniOf(pod) === eni);
    if (one === undefined || other === undefined || more.length > 0)
      throw new Error(`the pods are not two on each ENI: ${pods.map(eniOf)}`);
    return [one, other] as [RunningPod, RunningPod];
  };
  return { usual: ofEni(first), closed: ofEni(second) };
}

const protocols = ["tcp", "udp", "icmp"] as const;

/** The protocols that are answered over both families; one that is answered over one alone has its address. */
async function ask(from: RunningPod, to: RunningPod): Promise<string[]> {
  const probes = protocols.flatMap((proto) =>
    to.addresses.map((addr): Probe => ({ id: `${proto} ${addr}`, proto, addr, timeoutMs: 1_000 })),
  );
  const outcomes = await probe(lab.agent, on.node.path(from.netns), probes);
  const answered = probes.filter((_, index) => outcomes[index]?.ok === true);
  return protocols.flatMap((proto) => {
    const over = answered.filter((one) => one.proto === proto);
    return over.length === to.addresses.length ? [proto] : over.map((one) => one.id);
  });
}

async function status(key: string): Promise<string | undefined> {
  const path = "/v1/admin/resources/network_service/default";
  const shown = JSON.stringify(await requestJson(on.node.path(daemonSocket), "GET", path));
  return new RegExp(`"key":"${key}","value":"([^"]*)"`).exec(shown)?.[1];
}

test("the groups of their ENIs decide between pods of one node; pods of one ENI are not asked", { timeout: 120_000 }, async () => {
  await restart();
  const { usual, closed } = await fourPods("a");
  await until("the pods answer", 20_000, async () => {
    const heard = await Promise.all([ask(usual[0], usual[1]), ask(closed[0], closed[1])]);
    return heard.every((one) => one.length === protocols.length);
  });
  expect(await ask(usual[0], closed[0])).toEqual(["tcp"]);
  expect(await ask(usual[1], closed[1])).toEqual(["tcp"]);
  expect(await ask(closed[0], usual[0])).toEqual([]);
  expect(await status("own_security_groups")).toBe("2");
  expect(await status("local_delivery_across_security_groups")).toBe("false");
  for (const pod of [...usual, ...closed]) await on.removePod(pod);
});

test("a node that is told so delivers inside, whatever the groups say", { timeout: 120_000 }, async () => {
  await restart({ local_delivery_across_security_groups: true });
  const { usual, closed } = await fourPods("b");
  await until("the pods answer", 20_000, async () => (await ask(usual[0], closed[0])).length === protocols.length);
  expect(await ask(closed[0], usual[0])).toEqual([...protocols]);
  expect(await status("own_security_groups")).toBe("0");
  expect(await status("local_delivery_across_security_groups")).toBe("true");
});
