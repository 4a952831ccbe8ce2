import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatapath } from "@terway/datapath";
import { type Keeper, Store, type Stored } from "@terway/kube";
import { run } from "@terway/lab";
import { type Attachment, type Datapath, systemClock } from "@terway/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Cluster, Kind, Scope } from "../../ts/daemon/src/cluster/cluster.ts";
import { openLog } from "../../ts/daemon/src/log.ts";
import { Enforcement } from "../../ts/daemon/src/policy/enforcement.ts";
import { savedTables } from "../../ts/daemon/src/policy/saved-tables.ts";

/** Twenty nodes, each with its own tables in the kernel, that hear of the same cluster: a thousand pods, fifty on each node, in fifty namespaces. */
const nodeCount = 20;
const podsPerNode = 50;
const changes = 60;

/** Objects as an API server tells them, to everybody at once. */
class Feed implements Cluster {
  readonly complete = true;
  readonly #kinds = new Map<string, { readonly kind: Kind<Stored>; readonly stores: Keeper<Stored>[] }>();
  readonly #objects = new Map<string, { readonly kind: string; readonly object: Record<string, unknown> }>();
  #version = 0;

  watch<T extends Stored>(kind: Kind<T>) {
    const store = new Store<T>();
    return { objects: store, ...this.follow(kind, {}, store) };
  }

  follow<T extends Stored>(kind: Kind<T>, _: Scope, store: Keeper<T>) {
    const name = kind.resource.kind;
    const known = this.#kinds.get(name) ?? { kind: kind as unknown as Kind<Stored>, stores: [] };
    known.stores.push(store as unknown as Keeper<Stored>);
    this.#kinds.set(name, known);
    for (const { kind: of, object } of this.#objects.values())
      if (of === name) this.#tell(kind as unknown as Kind<Stored>, store as unknown as Keeper<Stored>, object);
    return { synced: Promise.resolve(), stop: async () => {} };
  }

  put(
    kind: string,
    metadata: { namespace?: string; name: string; labels?: Record<string, string> },
    rest: Record<string, unknown> = {},
  ): void {
    this.#version += 1;
    const object = {
      kind,
      metadata: { ...metadata, uid: `${kind}/${metadata.namespace}/${metadata.name}`, resourceVersion: String(this.#version) },
      ...rest,
    };
    this.#objects.set(object.metadata.uid, { kind, object });
    const known = this.#kinds.get(kind);
    for (const store of known?.stores ?? []) if (known !== undefined) this.#tell(known.kind, store, object);
  }

  #tell(kind: Kind<Stored>, store: Keeper<Stored>, object: unknown): void {
    const kept = kind.prune(object);
    if (kept !== undefined) store.set(kept);
  }

  read = async () => undefined;
  fresh = async () => {};
  close = async () => {};
}

interface SimulatedNode {
  readonly datapath: Datapath;
  readonly enforcement: Enforcement;
  applied: number;
}

const feed = new Feed();
const nodes: SimulatedNode[] = [];
const stop = new AbortController();
let directory = "";
const { log } = openLog("fatal", "test");
const namespaceOf = (pod: number) => `ns-${pod}`;
const addressOf = (node: number, pod: number) => `10.${node}.0.${pod + 1}`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-change-"));
  for (let pod = 0; pod < podsPerNode; pod += 1) feed.put("Namespace", { name: namespaceOf(pod), labels: { team: `t${pod % 5}` } });
  for (let node = 0; node < nodeCount; node += 1) {
    for (let pod = 0; pod < podsPerNode; pod += 1) {
      const labels = { app: node % 2 === 0 ? "even" : "odd" };
      feed.put("Pod", { namespace: namespaceOf(pod), name: `p-${node}`, labels }, { status: { podIP: addressOf(node, pod) } });
    }
  }
  for (let pod = 0; pod < podsPerNode; pod += 1) setPolicy(pod, "even", 80);
  for (let index = 0; index < nodeCount; index += 1) nodes.push(await startNode(index));
}, 240_000);

afterAll(async () => {
  stop.abort();
  for (const { datapath } of nodes) await datapath.close(1_000);
  for (let index = 0; index < nodeCount; index += 1) await run(["umount", join(directory, `bpf-${index}`)], { allow: [1, 32] });
  await rm(directory, { recursive: true, force: true });
});

function setPolicy(pod: number, app: string, port: number): void {
  const ingress = [
    { from: [{ podSelector: { matchLabels: { app } } }, { namespaceSelector: { matchLabels: { team: "t1" } } }], ports: [{ port }] },
  ];
  feed.put("NetworkPolicy", { namespace: namespaceOf(pod), name: "web" }, { spec: { podSelector: {}, ingress } });
}

async function startNode(index: number): Promise<SimulatedNode> {
  const [bpffs, stateDir] = [join(directory, `bpf-${index}`), join(directory, `state-${index}`)];
  await mkdir(bpffs);
  await mkdir(stateDir);
  await run(["mount", "-t", "bpf", "bpf", bpffs]);
  const datapath = openDatapath({ bpffs });
  const opened = await datapath.policy.open();
  if (!opened.ok) throw new Error(opened.error.message);
  const node: SimulatedNode = {
    datapath,
    applied: 0,
    enforcement: new Enforcement(
      {
        ...{ cluster: feed, datapath, clock: systemClock, log, saved: savedTables(stateDir), learningMs: 0 },
        mode: () => "strict",
        serviceCidrs: () => [],
        report: { applied: () => (node.applied += 1), full: (message) => expect.fail(message) },
      },
      false,
    ),
  };
  await node.enforcement.adopt([]);
  for (let pod = 0; pod < podsPerNode; pod += 1) {
    const ipv4 = { address: addressOf(index, pod), prefixLength: 24, gateway: `10.${index}.0.253` };
    // Only what tells the pod's place in the tables is looked at.
    const attachment = { id: `${index}-${pod}/eth0`, generation: pod, mode: "policy_route", ipv4 } as unknown as Attachment;
    const refused = await node.enforcement.admit(attachment, { podNamespace: namespaceOf(pod), podName: `p-${index}` });
    if (refused !== undefined) throw new Error(refused.message);
  }
  void node.enforcement.run(stop.signal);
  return node;
}

/** The sets of the namespace's pod on every node, as the kernel has them. */
async function setsInForce(pod: number): Promise<(string | undefined)[]> {
  return Promise.all(
    nodes.map(async ({ datapath }) => {
      const listed = await datapath.policy.list();
      if (!listed.ok) throw new Error(listed.error.message);
      return listed.value.pods.find(({ endpoint }) => endpoint === pod + 1)?.ingress;
    }),
  );
}

test(`a changed policy is in force on ${nodeCount} nodes with ${nodeCount * podsPerNode} pods within a second (p99)`, {
  timeout: 240_000,
}, async () => {
  const taken: number[] = [];
  for (let change = 0; change < changes; change += 1) {
    const pod = change % podsPerNode;
    const before = await setsInForce(pod);
    const counts = nodes.map(({ applied }) => applied);
    const started = performance.now();
    setPolicy(pod, change % 2 === 0 ? "odd" : "even", 1000 + change);
    while (!nodes.every(({ applied }, index) => applied > (counts[index] ?? 0))) {
      if (performance.now() - started > 20_000) throw new Error("a node never applied the change");
      await new Promise((resolve) => {
        setTimeout(resolve, 1);
      });
    }
    taken.push(performance.now() - started);
    const after = await setsInForce(pod);
    expect(new Set(after).size).toBe(1);
    expect(after[0]).not.toBe(before[0]);
  }
  const sorted = taken.toSorted((a, b) => a - b);
  const [median, p99] = [sorted[Math.floor(sorted.length / 2)] ?? 0, sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0];
  console.log(
    JSON.stringify({ nodes: nodeCount, pods: nodeCount * podsPerNode, changes, medianMs: Math.round(median), p99Ms: Math.round(p99) }),
  );
  expect(p99).toBeLessThanOrEqual(1_000);
});
