import fc from "fast-check";
import { expect, test } from "vitest";
import { NodeCompiler } from "./node-compiler.ts";
import { directions, type PolicyPod, type Protocol, protocols } from "./objects.ts";
import { PolicyRenderer } from "./tables/renderer.ts";
import type { ApiCluster, ApiPod } from "./testing/api.ts";
import { cluster, probedPorts } from "./testing/arbitraries.ts";
import { isAllowed } from "./testing/evaluator.ts";
import { arrivals, departures, type Event, setPolicy, shuffled, type Told } from "./testing/events.ts";
import { TableModel } from "./testing/table-model.ts";

const numbers: Record<Protocol, number> = { TCP: 6, UDP: 17, SCTP: 132 };
const outside = ["192.0.2.7", "198.51.100.1", "2001:db8::1"];
const addressesOf = (number: number) => [`10.0.0.${number}`, `fd00::${number}`];
const everywhere = [...outside, ...Array.from({ length: 6 }, (_, index) => addressesOf(index + 1)).flat()];

/** A node on which some pods of the cluster run, by name; each has its number as its endpoint. */
class Node {
  readonly compiler = new NodeCompiler();
  readonly model = new TableModel();
  readonly renderer = new PolicyRenderer();
  readonly told: Told;
  readonly #own = new Map<string, number>();

  constructor() {
    const { compiler } = this;
    this.told = {
      setNamespace: (name, labels) => compiler.setNamespace(name, labels),
      deleteNamespace: (name) => compiler.deleteNamespace(name),
      setPod: (pod) => void compiler.setPod({ pod, uid: "", netAdmin: false }),
      deletePod: (namespace, name) => void compiler.deletePod(namespace, name),
      setPolicy: (policy) => compiler.setPolicy(policy),
      deletePolicy: (namespace, name) => void compiler.deletePolicy(namespace, name),
    };
  }

  /** Pods with an even number run here. */
  own({ pods }: ApiCluster): void {
    for (const [index, { namespace, name, addresses, hostNetwork }] of pods.entries()) {
      if (index % 2 === 1 || hostNetwork) continue;
      this.compiler.own(namespace, name, undefined, addresses);
      this.#own.set(`${namespace}/${name}`, index + 1);
    }
  }

  disown(): void {
    for (const [key, endpoint] of this.#own) {
      const [namespace = "", name = ""] = key.split("/");
      this.compiler.disown(namespace, name);
      this.renderer.deleteEndpoint(endpoint);
    }
    this.#own.clear();
  }

  settle(between: () => void = () => {}): void {
    const { changed, removed } = this.compiler.take();
    for (const { namespace, name } of removed) this.renderer.deletePod(namespace, name);
    for (const pod of changed) this.renderer.setPod(pod);
    for (const [key, endpoint] of this.#own) {
      const [namespace = "", name = ""] = key.split("/");
      const pod = this.compiler.pod(namespace, name);
      this.renderer.setEndpoint(endpoint, { ingress: pod?.ingress, egress: pod?.egress, state: "enforced" });
    }
    this.#carry(this.renderer.step(), between);
  }

  tidy(between: () => void): void {
    this.#carry(this.renderer.compact(), between);
    this.model.sweep(this.renderer.sweep());
    if (this.compiler.prune()) this.settle(between);
    expect(this.compiler.prune()).toBe(false);
  }

  #carry(step: ReturnType<PolicyRenderer["step"]>, between: () => void): void {
    if (step !== undefined) for (const _ of this.model.apply(step)) between();
  }

  /** Every probe of the node's pods, one digit each. */
  verdicts(): string {
    let text = "";
    for (const endpoint of [...this.#own.values()].toSorted()) for (const { passes } of this.#probe(endpoint)) text += passes ? "1" : "0";
    return text;
  }

  *#probe(endpoint: number) {
    for (const address of everywhere.filter((other) => !addressesOf(endpoint).includes(other))) {
      for (const direction of directions) {
        for (const protocol of protocols) {
          for (const port of probedPorts) {
            yield { address, direction, protocol, port, passes: this.model.judges(endpoint, direction, address, numbers[protocol], port) };
          }
        }
      }
    }
  }

  expectTruth(world: ApiCluster): void {
    for (const [key, endpoint] of this.#own) {
      const self = world.pods.find(({ namespace, name }) => `${namespace}/${name}` === key) as ApiPod;
      if (self.finished) continue;
      for (const { address, direction, protocol, port, passes } of this.#probe(endpoint)) {
        const pod = world.pods.find(({ addresses }) => addresses.includes(address));
        const want = isAllowed(world, direction, self, { address, ...(pod === undefined ? {} : { pod }) }, protocol, port);
        if (passes !== want) throw new Error(`${direction} of ${key} with ${address} ${protocol} ${port}: ${passes}, must be ${want}`);
      }
    }
  }
}

const dice = fc.infiniteStream(fc.nat());

test("whatever comes first, a node's own pods are judged as the API says, and letting go of others changes no verdict", () => {
  fc.assert(
    fc.property(cluster, cluster, dice, (first, second, rolls) => {
      const roll = (most: number) => (rolls.next().value ?? 0) % most;
      const node = new Node();
      const live = (events: readonly Event[], own: () => void) => {
        const at = roll(events.length + 1);
        for (const [index, event] of events.entries()) {
          if (index === at) own();
          event(node.told);
          if (roll(3) === 0) node.settle();
          if (roll(6) === 0) {
            node.settle();
            const settled = node.verdicts();
            node.tidy(() => expect(node.verdicts()).toBe(settled));
          }
        }
        if (at === events.length) own();
        node.settle();
      };
      live(shuffled(arrivals(first), rolls), () => node.own(first));
      node.expectTruth(first);
      node.disown();
      live([...shuffled(departures(first), rolls), ...shuffled(arrivals(second), rolls)], () => {});
      node.own(second);
      node.settle();
      node.expectTruth(second);
      node.tidy(() => {});
      node.expectTruth(second);
    }),
    { numRuns: 100 },
  );
}, 60_000);

const pod = (name: string, app: string, address: string, more: Partial<PolicyPod> = {}): PolicyPod => ({
  ...{ namespace: "x", name, labels: { app }, addresses: [address], ports: [], hostNetwork: false, finished: false },
  ...more,
});
const friends = {
  metadata: { namespace: "x", name: "friends" },
  spec: {
    podSelector: { matchLabels: { app: "server" } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: "friend" } } }] }],
  },
};

test("pods that no policy of the node names are not compiled; those that one begins to name are", () => {
  const { told, compiler } = new Node();
  told.setNamespace("x", {});
  for (const each of [pod("server", "server", "10.0.0.1"), pod("friend", "friend", "10.0.0.2"), pod("other", "other", "10.0.0.3")])
    told.setPod(each);
  setPolicy(told, friends);
  expect(compiler.take().changed).toEqual([]);
  compiler.own("x", "server", undefined, ["10.0.0.1"]);
  expect(
    compiler
      .take()
      .changed.map(({ name }) => name)
      .toSorted(),
  ).toEqual(["friend", "server"]);
  told.deletePolicy("x", "friends");
  compiler.take();
  expect(compiler.prune()).toBe(true);
  expect(compiler.take().removed).toEqual([{ namespace: "x", name: "friend" }]);
  compiler.disown("x", "server");
  compiler.prune();
  setPolicy(told, friends);
  expect(compiler.take()).toEqual({ changed: [], removed: [{ namespace: "x", name: "server" }] });
});

test("a younger pod that no policy names still takes the address from the older one that a policy names", () => {
  const node = new Node();
  const { told, compiler } = node;
  told.setNamespace("x", {});
  const created = (second: number) => ({ created: `2026-01-01T00:00:0${second}Z` });
  told.setPod(pod("p0", "server", "10.0.0.1", created(0)));
  node.own({
    namespaces: [],
    policies: [],
    pods: [{ ...pod("p0", "server", "10.0.0.1"), labels: {}, addresses: ["10.0.0.1"], ports: [] }],
  });
  setPolicy(told, friends);
  const passes = () => {
    node.settle();
    return node.model.judges(1, "ingress", "10.0.0.9", 6, 80);
  };
  told.setPod(pod("stranger", "stranger", "10.0.0.9", created(2)));
  expect(passes()).toBe(false);
  told.setPod(pod("friend", "friend", "10.0.0.9", created(1)));
  expect(passes()).toBe(false);
  compiler.prune();
  expect(passes()).toBe(false);
  told.deletePod("x", "stranger");
  expect(passes()).toBe(true);
  told.setPod(pod("other", "stranger", "10.0.0.9", created(3)));
  expect(passes()).toBe(false);
});

test("another pod of the same name is told from the one before by its uid", () => {
  const compiler = new NodeCompiler();
  compiler.setPod({ pod: pod("web-0", "a", "10.0.0.1"), uid: "first", netAdmin: true });
  expect(compiler.own("x", "web-0", "second", ["10.0.0.2"])).toBe(false);
  expect(compiler.own("x", "web-0", "first", ["10.0.0.2"])).toBe(true);
  expect(compiler.own("x", "web-0", undefined, ["10.0.0.2"])).toBe(true);
  expect(compiler.isNetAdmin("x", "web-0")).toBe(true);
});
