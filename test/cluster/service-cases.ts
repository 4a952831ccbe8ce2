import { mergePatch, type Resource } from "@terway/kube";
import { createPod, daemonSocket, type PodObject, type Probe, podsReady, probe } from "@terway/lab";
import { afterEach, beforeAll, expect, test } from "vitest";
import { forwarded } from "../daemon/support/daemon-get.ts";
import { create, remove } from "./kube/objects.ts";
import { createServiceOf, podNetns } from "./objects.ts";
import { eventually, type Scene } from "./scene.ts";

const policies: Resource = { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies", kind: "NetworkPolicy", namespaced: true };
const protocols = ["tcp", "udp"] as const;
/** Enough that each of two backends is chosen but once in thousands of runs. */
const draws = 16;
const ports = protocols.map((name) => ({ name, protocol: name.toUpperCase(), port: 7 }));

/** Where something is asked from, and the addresses that it has. */
interface Place {
  readonly netns: string;
  readonly addresses: readonly string[];
}

/** What kube-proxy does for pods, nodes and machines elsewhere, and NetworkPolicy with it, on two nodes, over both families. */
export function serviceCases(scene: Scene, path: "stack" | "fast"): void {
  let namespace: string;
  /** On the first node: a backend, and two pods that are none. On the second: a backend and a pod that is none. */
  let [here, client, other, there, far]: (PodObject | undefined)[] = [];

  beforeAll(async () => {
    const { client: api, nodes } = scene.cluster;
    namespace = await scene.newNamespace("services");
    const [first = "", second = ""] = nodes.map(({ on }) => on.name);
    const wanted = [
      { name: "a-here", nodeName: first, labels: { app: "server", place: "here" } },
      { name: "b-client", nodeName: first, labels: { role: "client" } },
      { name: "c-other", nodeName: first, labels: { role: "other" } },
      { name: "d-there", nodeName: second, labels: { app: "server" } },
      { name: "e-far", nodeName: second, labels: { role: "client" } },
    ];
    for (const one of wanted) await createPod(api, { namespace, ...one });
    [here, client, other, there, far] = await podsReady(api, namespace, wanted.length, 90_000);
  }, 180_000);

  const placeOf = async (pod: PodObject | undefined): Promise<Place> => {
    if (pod === undefined) throw new Error("the pod is not there");
    return { netns: await podNetns(scene.nodeOf(pod), pod), addresses: pod.status.podIPs.map(({ ip }) => ip) };
  };
  const machines = () => {
    const { elsewhere, nodes } = scene.cluster.lab.world;
    const [first, second] = nodes.map(({ netns, primary }): Place => ({ netns, addresses: [primary.ipv4, primary.ipv6] }));
    if (elsewhere === undefined || first === undefined || second === undefined) throw new Error("the lab lacks a machine");
    return { first, second, elsewhere: { netns: elsewhere.netns, addresses: [elsewhere.primary.ipv4, elsewhere.primary.ipv6] } };
  };
  const nameOf = (pod: PodObject | undefined) => pod?.metadata.name ?? "";

  /** By protocol and address: who answered and the source that it saw, over as many connections as are drawn. */
  async function ask({ netns }: Place, addresses: readonly string[], portOf = new Map<string, number | undefined>(), times = draws) {
    const probes = protocols.flatMap((proto) =>
      addresses.flatMap((addr) =>
        Array.from({ length: times }, (): Probe => {
          const port = portOf.get(proto);
          return { id: `${proto} ${addr}`, proto, addr, timeoutMs: 3_000, ...(port === undefined ? {} : { port }) };
        }),
      ),
    );
    const seen: Record<string, { by: Set<string>; from: Set<string> }> = {};
    for (const { id, server } of await probe(scene.cluster.lab.agent, netns, probes)) {
      seen[id] ??= { by: new Set(), from: new Set() };
      seen[id].by.add(server?.pod ?? "nobody");
      if (server !== undefined) seen[id].from.add(server.client);
    }
    return seen;
  }
  /** What {@link ask} answers when these pods answer; `source`: they see the place's own address, of the family of each question. */
  const answeredBy = (names: readonly string[], addresses: readonly string[], source?: Place) => {
    const own = (address: string) => source?.addresses.find((one) => one.includes(":") === address.includes(":")) ?? "";
    const answer = (address: string) => ({
      by: new Set(names),
      from: source === undefined ? expect.any(Set) : new Set([own(address)]),
    });
    return Object.fromEntries(protocols.flatMap((proto) => addresses.map((address) => [`${proto} ${address}`, answer(address)])));
  };
  const silent = (addresses: readonly string[]) => answeredBy(["nobody"], addresses);
  const standing = new Set<string>();
  const putPolicy = async (name: string, spec: object) => {
    await create(scene.cluster.client, policies, namespace, { metadata: { name }, spec });
    standing.add(name);
  };
  const removePolicy = async (name: string) => {
    await remove(scene.cluster.client, policies, namespace, name);
    standing.delete(name);
  };
  // Also when a test has failed: it gets a second try.
  afterEach(async () => {
    for (const name of standing) await removePolicy(name);
  });
  let services = 0;
  const createService = (spec: object) => createServiceOf(scene.cluster.client, namespace, `service-${++services}`, { ports, ...spec });

  test("a ClusterIP leads to backends of both nodes, which see the pod's own address; nodes reach it, too", async () => {
    const { clusterIPs } = await createService({ selector: { app: "server" } });
    const both = [nameOf(here), nameOf(there)];
    for (const pod of [client, far]) {
      const place = await placeOf(pod);
      await eventually(() => ask(place, clusterIPs)).toEqual(answeredBy(both, clusterIPs, place));
    }
    for (const node of [machines().first, machines().second]) expect(await ask(node, clusterIPs)).toEqual(answeredBy(both, clusterIPs));
  });

  test("a pod reaches itself by its Service, also when nobody else may reach it", async () => {
    const { clusterIPs } = await createService({ selector: { place: "here" } });
    const place = await placeOf(here);
    await eventually(() => ask(place, clusterIPs, undefined, 2)).toEqual(answeredBy([nameOf(here)], clusterIPs));
    await putPolicy("nobody", { podSelector: { matchLabels: { place: "here" } }, policyTypes: ["Ingress"] });
    await eventually(async () => ask(await placeOf(client), clusterIPs, undefined, 2)).toEqual(silent(clusterIPs));
    expect(await ask(place, clusterIPs, undefined, 2)).toEqual(answeredBy([nameOf(here)], clusterIPs));
    await removePolicy("nobody");
    await eventually(async () => ask(await placeOf(client), clusterIPs, undefined, 2)).toEqual(answeredBy([nameOf(here)], clusterIPs));
  });

  test("a NodePort of every node leads to every backend, from elsewhere, from the nodes' pods and from the nodes", async () => {
    const { nodePorts } = await createService({ type: "NodePort", selector: { app: "server" } });
    const { first, second, elsewhere } = machines();
    const both = [nameOf(here), nameOf(there)];
    const addresses = [...first.addresses, ...second.addresses];
    for (const place of [elsewhere, await placeOf(client), await placeOf(far), second]) {
      await eventually(() => ask(place, addresses, nodePorts)).toEqual(answeredBy(both, addresses));
    }
  });

  test("a NodePort with externalTrafficPolicy Local leads to its own node's backend alone, which sees who asks; NetworkPolicy judges that address", async () => {
    const { nodePorts } = await createService({ type: "NodePort", externalTrafficPolicy: "Local", selector: { place: "here" } });
    const { first, second, elsewhere } = machines();
    await eventually(() => ask(elsewhere, first.addresses, nodePorts, 2)).toEqual(answeredBy([nameOf(here)], first.addresses, elsewhere));
    expect(await ask(elsewhere, second.addresses, nodePorts, 2)).toEqual(silent(second.addresses));
    const blocks = elsewhere.addresses.map((address) => ({ ipBlock: { cidr: `${address}/${address.includes(":") ? 128 : 32}` } }));
    const only = (from: readonly object[]) => ({
      podSelector: { matchLabels: { place: "here" } },
      policyTypes: ["Ingress"],
      ingress: [{ from }],
    });
    await putPolicy("sources", only([{ podSelector: { matchLabels: { role: "client" } } }]));
    await eventually(() => ask(elsewhere, first.addresses, nodePorts, 2)).toEqual(silent(first.addresses));
    const where = { resource: policies, namespace, name: "sources" };
    await mergePatch(scene.cluster.client, where, { spec: only(blocks) }, "test");
    await eventually(() => ask(elsewhere, first.addresses, nodePorts, 2)).toEqual(answeredBy([nameOf(here)], first.addresses, elsewhere));
    await removePolicy("sources");
  });

  test("NetworkPolicy judges the backend and not the Service's address, in both directions", async () => {
    const { clusterIPs } = await createService({ selector: { app: "server" } });
    const toOther = await createService({ selector: { role: "other" } });
    const both = [nameOf(here), nameOf(there)];
    const clients = [await placeOf(client), await placeOf(far)];
    for (const place of clients) await eventually(() => ask(place, clusterIPs)).toEqual(answeredBy(both, clusterIPs, place));
    const servers = { podSelector: { matchLabels: { app: "server" } } };
    await putPolicy("ingress", {
      ...servers,
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ podSelector: { matchLabels: { role: "client" } } }] }],
    });
    await eventually(async () => ask(await placeOf(other), clusterIPs, undefined, 2)).toEqual(silent(clusterIPs));
    for (const place of clients) expect(await ask(place, clusterIPs)).toEqual(answeredBy(both, clusterIPs, place));
    await removePolicy("ingress");
    await putPolicy("egress", { podSelector: { matchLabels: { role: "client" } }, policyTypes: ["Egress"], egress: [{ to: [servers] }] });
    for (const place of clients) {
      await eventually(() => ask(place, toOther.clusterIPs, undefined, 2)).toEqual(silent(toOther.clusterIPs));
      expect(await ask(place, clusterIPs)).toEqual(answeredBy(both, clusterIPs, place));
    }
    await removePolicy("egress");
  });

  test(
    path === "fast" ? "what is no Service's goes past the stack, on a node and between nodes" : "nothing goes past the stack",
    async () => {
      const counts = async () => Promise.all(scene.cluster.nodes.map(({ on }) => forwarded(on.node.path(daemonSocket))));
      const before = await counts();
      const place = await placeOf(client);
      const targets = [here, there].flatMap((pod) => pod?.status.podIPs.map(({ ip }) => ip) ?? []);
      const answers = await ask(place, targets, undefined, 4);
      expect(Object.values(answers).flatMap(({ by }) => [...by])).not.toContain("nobody");
      const [first = {}, second = {}] = await counts();
      const more = (key: string, index: 0 | 1) => ([first, second][index]?.[key] ?? 0) - (before[index]?.[key] ?? 0);
      const seen = [more("forwarded_pod", 0), more("forwarded_out", 0), more("forwarded_in", 1)];
      if (path === "fast") for (const count of seen) expect(count).toBeGreaterThan(10);
      else expect(seen).toEqual([0, 0, 0]);
    },
  );
}
