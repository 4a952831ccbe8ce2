import type { PolicyRecord } from "@terway/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import { allows } from "../allows.ts";
import type { CompiledPod } from "../compiled-pod.ts";
import { PolicyCompiler } from "../compiler.ts";
import { directions, type Protocol, protocols } from "../objects.ts";
import type { ApiCluster, ApiPod } from "../testing/api.ts";
import { cluster, probedPorts } from "../testing/arbitraries.ts";
import { isAllowed } from "../testing/evaluator.ts";
import { arrivals, departures, type Event, shuffled } from "../testing/events.ts";
import { TableModel } from "../testing/table-model.ts";
import { PolicyRenderer } from "./renderer.ts";

const outside = ["192.0.2.7", "198.51.100.1", "2001:db8::1", "10.0.0.77", "fd00::77"];
const numbers: Record<Protocol, number> = { TCP: 6, UDP: 17, SCTP: 132 };
const hosts = new Map(Array.from({ length: 6 }, (_, index) => [`p${index}`, index + 1]));

/** A node on which every pod of the cluster runs. */
class Node {
  readonly compiler = new PolicyCompiler();
  readonly model: TableModel;
  readonly renderer = new PolicyRenderer();
  #live = new Set<number>();

  constructor(model = new TableModel()) {
    this.model = model;
  }

  /** Hands the compiler's news to the renderer. */
  feed(): void {
    const { changed, removed } = this.compiler.take();
    for (const { namespace, name } of removed) {
      this.renderer.deletePod(namespace, name);
    }
    for (const pod of changed) this.renderer.setPod(pod);
    const live = new Set<number>();
    for (const pod of this.compiler.pods()) {
      const endpoint = hosts.get(pod.name) ?? 0;
      live.add(endpoint);
      this.renderer.setEndpoint(endpoint, { ingress: pod.ingress, egress: pod.egress, state: "enforced" });
    }
    for (const endpoint of this.#live) if (!live.has(endpoint)) this.renderer.deleteEndpoint(endpoint);
    this.#live = live;
  }

  /** Carries everything out; `between` looks after each single change. */
  settle(between: () => void = () => {}): void {
    const step = this.renderer.step();
    if (step !== undefined) for (const _ of this.model.apply(step)) between();
    expect(this.renderer.step()).toBeUndefined();
  }

  tidy(between: () => void = () => {}): void {
    const step = this.renderer.compact();
    if (step !== undefined) for (const _ of this.model.apply(step)) between();
    expect(this.renderer.compact()).toBeUndefined();
    this.model.sweep(this.renderer.sweep());
    between();
  }
}

function* probes(pods: Iterable<CompiledPod>, addresses: readonly string[]) {
  for (const pod of pods) {
    for (const address of addresses) {
      for (const direction of directions) {
        for (const protocol of protocols) for (const port of probedPorts) yield { pod, address, direction, protocol, port };
      }
    }
  }
}

const allAddresses = [...outside, ...Array.from({ length: 6 }, (_, index) => [`10.0.0.${index + 1}`, `fd00::${index + 1}`]).flat()];

/** Every probe's answer, one digit each. To itself a pod always may, whatever the tables say. */
function verdicts(model: TableModel): string {
  let text = "";
  for (const endpoint of hosts.values()) {
    for (const address of allAddresses.filter((other) => ![`10.0.0.${endpoint}`, `fd00::${endpoint}`].includes(other))) {
      for (const direction of directions) {
        for (const protocol of protocols) {
          for (const port of probedPorts) text += model.judges(endpoint, direction, address, numbers[protocol], port) ? "1" : "0";
        }
      }
    }
  }
  return text;
}

test("the kernel's lookup in the tables says what the compiled sets and the evaluator say", () => {
  fc.assert(
    fc.property(cluster, (world) => {
      const node = new Node();
      for (const event of arrivals(world)) event(node.compiler);
      node.feed();
      node.settle();
      expectTruth(node, world);
      node.tidy();
      expectTruth(node, world);
    }),
    { numRuns: 400 },
  );
});

function expectTruth({ compiler, model }: Node, world: ApiCluster): void {
  for (const { pod, address, direction, protocol, port } of probes(compiler.pods(), allAddresses)) {
    const holder = world.pods.find((other) => other.addresses.includes(address));
    const identity = holder && compiler.pod(holder.namespace, holder.name)?.identity;
    const got = model.judges(hosts.get(pod.name) ?? 0, direction, address, numbers[protocol], port);
    const set = allows(pod[direction], { address, ...(identity === undefined ? {} : { identity }) }, protocol, port);
    const self = world.pods.find(({ name }) => name === pod.name) as ApiPod;
    const want = isAllowed(world, direction, self, { address, ...(holder === undefined ? {} : { pod: holder }) }, protocol, port);
    if (got !== want || set !== want) {
      throw new Error(`${direction} of ${pod.name} with ${address} ${protocol} ${port}: tables ${got}, set ${set}, must be ${want}`);
    }
  }
}

test("within a step each verdict is the old or the new one, and tidying up changes none", () => {
  fc.assert(
    fc.property(cluster, cluster, fc.infiniteStream(fc.nat()), (first, second, dice) => {
      const node = new Node();
      const events = [...arrivals(first), ...shuffled([...departures(first), ...arrivals(second)], dice)];
      for (const event of events) {
        const before = verdicts(node.model);
        event(node.compiler);
        node.feed();
        const seen: string[] = [];
        node.settle(() => seen.push(verdicts(node.model)));
        expectBetween(before, verdicts(node.model), seen);
        if ((dice.next().value ?? 0) % 4 > 0) continue;
        const settled = verdicts(node.model);
        node.tidy(() => expect(verdicts(node.model)).toBe(settled));
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);

/** `seen` lists pictures of verdicts; each bit of each must be that of `before` or `after`. */
function expectBetween(before: string, after: string, seen: readonly string[]): void {
  for (const picture of new Set(seen)) {
    for (let bit = 0; bit < picture.length; bit += 1) {
      if (picture[bit] !== before[bit] && picture[bit] !== after[bit])
        throw new Error(`verdict ${bit} was ${before[bit]}, then ${picture[bit]}, and became ${after[bit]}`);
    }
  }
}

test("whatever the order, the detours and the failures, the tables are the same", () => {
  fc.assert(
    fc.property(cluster, cluster, fc.infiniteStream(fc.nat()), (before, world, dice) => {
      const roll = (most: number) => (dice.next().value ?? 0) % most;
      const straight = new Node();
      run(straight, arrivals(world));
      straight.settle();
      straight.tidy();
      const node = new Node();
      for (const event of [...arrivals(before), ...departures(before), ...shuffled(arrivals(world), dice)]) {
        event(node.compiler);
        if (roll(3) > 0) continue;
        node.feed();
        const step = roll(5) === 0 ? node.renderer.compact() : node.renderer.step();
        if (step === undefined) continue;
        let changes = roll(2) === 0 ? roll(20) : Number.POSITIVE_INFINITY;
        for (const _ of node.model.apply(step)) {
          if (changes === 0) {
            node.renderer.failed(step);
            break;
          }
          changes -= 1;
        }
      }
      node.feed();
      node.settle();
      node.tidy();
      expect(node.model.picture()).toEqual(straight.model.picture());
      expectTruth(node, world);
    }),
    { numRuns: 200 },
  );
});

function run(node: Node, events: readonly Event[]): void {
  for (const event of events) event(node.compiler);
  node.feed();
}

test("a later process takes the tables over: what did not change is not judged otherwise for a moment", () => {
  fc.assert(
    fc.property(cluster, cluster, fc.boolean(), (before, after, same) => {
      const world = same ? before : { ...after, pods: before.pods, namespaces: before.namespaces };
      const first = new Node();
      run(first, arrivals(before));
      first.settle();
      const [saved, old] = [first.renderer.contents(), verdicts(first.model)];
      const second = new Node(first.model);
      second.renderer.adopt(first.model.listing(), JSON.parse(JSON.stringify(saved)));
      run(second, arrivals(world));
      const seen: string[] = [];
      const { epoch } = second.model;
      second.settle(() => seen.push(verdicts(second.model)));
      expectBetween(old, verdicts(second.model), seen);
      if (same) expect([...new Set(seen), second.model.epoch]).toEqual([...(seen.length > 0 ? [old] : []), epoch]);
      second.tidy();
      expectTruth(second, world);
      const straight = new Node();
      run(straight, arrivals(world));
      straight.settle();
      straight.tidy();
      expect(second.model.picture()).toEqual(straight.model.picture());
    }),
    { numRuns: 150 },
  );
});

test("a set that does not fit leaves its pods what they had, until it is tried again", () => {
  const node = new Node();
  const pod = (name: string, labels: Record<string, string>): ApiPod => {
    const last = hosts.get(name);
    return { namespace: "x", name, labels, addresses: [`10.0.0.${last}`], ports: [], hostNetwork: false, finished: false };
  };
  const policy = (name: string, app: string, port: number) => ({
    metadata: { namespace: "x", name },
    spec: { podSelector: { matchLabels: { app } }, ingress: [{ ports: [{ port }] }] },
  });
  const pods = [pod("p0", { app: "a" }), pod("p1", { app: "b" })];
  run(node, arrivals({ namespaces: [{ name: "x", labels: {} }], pods, policies: [policy("old", "a", 80)] }));
  node.settle();
  run(node, arrivals({ namespaces: [], pods: [], policies: [policy("more", "a", 81), policy("other", "b", 53)] }));
  const step = node.renderer.step();
  const tooMuch = node.compiler.pod("x", "p0")?.ingress?.id.slice(0, 16) ?? "";
  const refused = step?.sets.find(({ set }) => set === tooMuch.replace(/^0+/, ""));
  if (step === undefined || refused === undefined) throw new Error("no step with the set");
  node.renderer.failed(step);
  node.renderer.refuse(refused.set);
  node.settle();
  const passes = (endpoint: number, port: number) => node.model.judges(endpoint, "ingress", "192.0.2.1", 6, port);
  expect([passes(1, 80), passes(1, 81), passes(2, 53), passes(2, 80)]).toEqual([true, false, true, false]);
  expect(node.renderer.retryRefused()).toBe(1);
  node.settle();
  expect([passes(1, 80), passes(1, 81)]).toEqual([true, true]);
});

test("of two pods with one address the younger counts, and after it the older again", () => {
  const renderer = new PolicyRenderer();
  const compiler = new PolicyCompiler();
  compiler.setNamespace("x", { name: "x" });
  admitFriends(compiler);
  const model = new TableModel();
  const settle = () => {
    const { changed, removed } = compiler.take();
    for (const { namespace, name } of removed) renderer.deletePod(namespace, name);
    for (const each of changed) renderer.setPod(each);
    renderer.setEndpoint(1, { ingress: compiler.pod("x", "server")?.ingress, state: "enforced" });
    const step = renderer.step();
    if (step !== undefined) for (const _ of model.apply(step));
  };
  const pod = (name: string, app: string, created: string, address = "10.0.0.9") =>
    compiler.setPod({
      namespace: "x",
      name,
      labels: { app },
      addresses: [address],
      created,
      ports: [],
      hostNetwork: false,
      finished: false,
    });
  const passes = () => model.judges(1, "ingress", "10.0.0.9", 6, 80);
  pod("server", "server", "2026-01-01T00:00:00Z", "10.0.0.1");
  pod("friend", "friend", "2026-01-01T00:00:00Z");
  settle();
  expect(passes()).toBe(true);
  pod("a-stranger", "stranger", "2026-01-01T00:00:01Z");
  settle();
  expect(passes()).toBe(false);
  pod("friend", "friend", "2026-01-01T00:00:00Z");
  settle();
  expect(passes()).toBe(false);
  compiler.deletePod("x", "a-stranger");
  settle();
  expect(passes()).toBe(true);
});

function admitFriends(compiler: PolicyCompiler): void {
  for (const event of arrivals({
    namespaces: [],
    pods: [],
    policies: [
      {
        metadata: { namespace: "x", name: "friends" },
        spec: {
          podSelector: { matchLabels: { app: "server" } },
          ingress: [{ from: [{ podSelector: { matchLabels: { app: "friend" } } }] }],
        },
      },
    ],
  }))
    event(compiler);
}

test("a record goes with its endpoint", () => {
  const renderer = new PolicyRenderer();
  const record: PolicyRecord = { endpoint: 7, ingress: "0", egress: "0", state: "held" };
  renderer.setEndpoint(7, { state: "held" });
  expect(renderer.step()).toMatchObject({ pods: [record], gonePods: [], bump: false });
  renderer.setEndpoint(7, { state: "enforced" });
  expect(renderer.step()).toMatchObject({ pods: [{ ...record, state: "enforced" }], bump: true });
  renderer.deleteEndpoint(7);
  expect(renderer.step()).toMatchObject({ pods: [], gonePods: [7], bump: false });
  expect(renderer.step()).toBeUndefined();
});
