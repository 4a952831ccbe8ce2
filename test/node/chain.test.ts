import { writeFile } from "node:fs/promises";
import { inNetNamespace, type Probe, probe, type RunningPod, run } from "@terway/lab";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { useNode } from "./lab-fixture.ts";

/** Port of the lab's server in pods and on nodes. */
const served = 7;
const hostPort = 30_080;
const dnsCache = "169.254.20.10";
const ambientProbe = "169.254.7.127";

/** Other plugins behind ours, and what people put into pods and nodes: everything must still arrive. */
describe("a chain with portmap and bandwidth of the containernetworking plugins", () => {
  const fixture = useNode("debian", async (on) => {
    const plugins = [
      // The chained plugin shapes, so ours does not ask the runtime for the limits.
      { type: "terway", symmetric_routing: true },
      { type: "portmap", capabilities: { portMappings: true }, snat: true },
      { type: "bandwidth", capabilities: { bandwidth: true } },
    ];
    await writeFile(on.node.path("/etc/eni/10-terway.conflist"), JSON.stringify({ plugins }));
  });

  const hostNetns = () => fixture().on.machine.netns;
  const inNode = (command: string) => run(inNetNamespace(hostNetns(), ["sh", "-c", command]));
  const inPod = (pod: RunningPod, command: string) => run(inNetNamespace(fixture().on.node.path(pod.netns), ["sh", "-c", command]));
  const fromNode = async (one: Omit<Probe, "id">) =>
    (await probe(fixture().lab.agent, hostNetns(), [{ id: "p", timeoutMs: 2_000, ...one }]))[0];
  const fromPod = async (pod: RunningPod, one: Omit<Probe, "id">) =>
    (await probe(fixture().lab.agent, fixture().on.node.path(pod.netns), [{ id: "p", timeoutMs: 2_000, ...one }]))[0];

  test("a hostPort answers to the node, to another pod of it and, by symmetric routing, to the VPC; it goes with the pod", async () => {
    const { on, lab } = fixture();
    const node = on.machine.primary.ipv4;
    const pod = await on.runPod({
      ...{ namespace: "default", name: "hostport" },
      portMappings: [{ hostPort, containerPort: served, protocol: "TCP" }],
    });
    const other = await on.runPod({ namespace: "default", name: "client" });
    expect(await fromNode({ proto: "tcp", addr: node, port: hostPort })).toMatchObject({ ok: true, server: { pod: "hostport" } });
    expect(await fromPod(other, { proto: "tcp", addr: node, port: hostPort })).toMatchObject({ ok: true, server: { pod: "hostport" } });
    const { agent, world } = lab;
    const [outcome] = await probe(agent, world.elsewhere?.netns ?? "", [{ id: "p", proto: "tcp", addr: node, port: hostPort }]);
    expect(outcome).toMatchObject({ ok: true, server: { pod: "hostport", client: world.elsewhere?.primary.ipv4 } });
    await on.removePod(pod);
    expect(await fromNode({ proto: "tcp", addr: node, port: hostPort })).toMatchObject({ ok: false });
    await on.removePod(other);
  });

  test("the bandwidth plugin's token bucket stands on our link, and our check has nothing against it", async () => {
    const { on } = fixture();
    const pod = await on.runPod({ namespace: "default", name: "slow", annotations: { "kubernetes.io/ingress-bandwidth": "10M" } });
    const qdiscs = async () => {
      const { stdout } = await inNode("tc -j qdisc show");
      const parsed = z.array(z.object({ kind: z.string(), dev: z.string(), options: z.looseObject({}) })).parse(JSON.parse(stdout));
      return parsed.filter(({ kind, dev }) => kind === "tbf" && dev.startsWith("cali"));
    };
    expect(await qdiscs()).toMatchObject([{ options: { rate: 10_000_000 / 8 } }]);
    expect((await on.mapping()).mismatches).toEqual([]);
    await on.removePod(pod);
    expect(await qdiscs()).toEqual([]);
  });

  test("Istio's redirect rules in the pod: what comes in and what goes out meets the proxy", async () => {
    const { on, lab } = fixture();
    const pod = await on.runPod({ namespace: "default", name: "meshed" });
    const [address = ""] = pod.addresses;
    // As istio-iptables writes them, with the lab's server in the place of Envoy (15006 and 15001).
    await inPod(
      pod,
      [
        "iptables -t nat -N ISTIO_INBOUND; iptables -t nat -N ISTIO_REDIRECT; iptables -t nat -N ISTIO_IN_REDIRECT; iptables -t nat -N ISTIO_OUTPUT",
        `iptables -t nat -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports ${served}`,
        `iptables -t nat -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports ${served}`,
        "iptables -t nat -A PREROUTING -p tcp -j ISTIO_INBOUND",
        "iptables -t nat -A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN",
        "iptables -t nat -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT",
        "iptables -t nat -A OUTPUT -p tcp -j ISTIO_OUTPUT",
        "iptables -t nat -A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN",
        "iptables -t nat -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN",
        "iptables -t nat -A ISTIO_OUTPUT -j ISTIO_REDIRECT",
      ].join(" && "),
    );
    expect(await fromNode({ proto: "tcp", addr: address, port: 8080 })).toMatchObject({ ok: true, server: { pod: "meshed" } });
    const elsewhere = lab.world.elsewhere?.primary.ipv4 ?? "";
    expect(await fromPod(pod, { proto: "tcp", addr: elsewhere, port: 9999 })).toMatchObject({ ok: true, server: { pod: "meshed" } });
    await on.removePod(pod);
  });

  test("the node-local DNS cache answers a pod, in its own name", async () => {
    const { on, lab } = fixture();
    await inNode(`ip addr add ${dnsCache}/32 dev lo`);
    await lab.serve("dns-cache", hostNetns());
    const pod = await on.runPod({ namespace: "default", name: "asker" });
    expect(await fromPod(pod, { proto: "udp", addr: dnsCache })).toMatchObject({
      ok: true,
      server: { pod: "dns-cache", client: pod.addresses[0] },
    });
    expect(await fromPod(pod, { proto: "tcp", addr: dnsCache })).toMatchObject({ ok: true, server: { pod: "dns-cache" } });
    await on.removePod(pod);
  });

  test("the kubelet's probes under Istio ambient (source 169.254.7.127) reach the pod and are answered", async () => {
    const { on } = fixture();
    const pod = await on.runPod({ namespace: "default", name: "ambient" });
    const [address = ""] = pod.addresses;
    const rule = `-t nat -A POSTROUTING -d ${address} -m addrtype --src-type LOCAL -j SNAT --to-source ${ambientProbe}`;
    await inNode(`iptables ${rule}`);
    expect(await fromNode({ proto: "tcp", addr: address })).toMatchObject({ ok: true, server: { pod: "ambient", client: ambientProbe } });
    await inNode(`iptables ${rule.replace("-A", "-D")}`);
    await on.removePod(pod);
  });
});
