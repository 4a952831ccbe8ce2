import fc from "fast-check";
import { expect, test } from "vitest";
import { allows } from "./allows.ts";
import { PolicyCompiler } from "./compiler.ts";
import { directions, protocols } from "./objects.ts";
import type { ApiPod } from "./testing/api.ts";
import { cluster, probedPorts } from "./testing/arbitraries.ts";
import { isAllowed } from "./testing/evaluator.ts";
import { arrivals, departures, type Event, setPolicy, shuffled } from "./testing/events.ts";

const outside = ["192.0.2.7", "198.51.100.1", "2001:db8::1"];

function compile(events: readonly Event[]): PolicyCompiler {
  const compiler = new PolicyCompiler();
  for (const event of events) event(compiler);
  compiler.take();
  return compiler;
}

function picture(compiler: PolicyCompiler) {
  return [...compiler.pods()]
    .map(({ namespace, name, addresses, identity, ingress, egress }) => ({
      pod: `${namespace}/${name}`,
      addresses,
      identity: identity.id,
      ingress: ingress?.id,
      egress: egress?.id,
    }))
    .toSorted((left, right) => (left.pod < right.pod ? -1 : 1));
}

test("every verdict is that of the evaluator written from the API's text", () => {
  fc.assert(
    fc.property(cluster, (world) => {
      const compiler = compile(arrivals(world));
      for (const pod of world.pods) {
        const compiled = compiler.pod(pod.namespace, pod.name);
        expect(compiled === undefined).toBe(pod.hostNetwork || pod.finished);
        if (compiled === undefined) continue;
        const others: { address: string; pod?: ApiPod }[] = [
          ...world.pods.flatMap((other) => other.addresses.map((address) => ({ address, pod: other }))),
          ...outside.map((address) => ({ address })),
        ];
        for (const other of others) {
          const identity = other.pod && compiler.pod(other.pod.namespace, other.pod.name)?.identity;
          const remote = { address: other.address, ...(identity === undefined ? {} : { identity }) };
          for (const direction of directions) {
            for (const protocol of protocols) {
              for (const port of probedPorts) {
                const want = isAllowed(world, direction, pod, other, protocol, port);
                const got = allows(compiled[direction], remote, protocol, port);
                if (got !== want)
                  throw new Error(`${direction} of ${pod.name} with ${other.address} ${protocol} ${port}: ${got}, must be ${want}`);
              }
            }
          }
        }
      }
    }),
    { numRuns: 1500 },
  );
});

test("whatever the order, and whatever came and went in between, the result is the same", () => {
  const detour = fc.tuple(cluster, cluster, fc.infiniteStream(fc.nat()));
  fc.assert(
    fc.property(detour, ([world, before, dice]) => {
      const straight = picture(compile(arrivals(world)));
      const roll = (most: number) => (dice.next().value ?? 0) % most;
      const coming = shuffled(arrivals(world), dice);
      // Another world first, with the same names and other contents; whatever it has more is deleted at some point.
      const compiler = new PolicyCompiler();
      for (const event of arrivals(before)) event(compiler);
      if (roll(2) === 0) compiler.take();
      for (const event of departures(before)) {
        event(compiler);
        if (roll(4) === 0) compiler.take();
      }
      for (const event of coming) {
        event(compiler);
        if (roll(4) === 0) compiler.take();
      }
      compiler.take();
      expect(picture(compiler)).toEqual(straight);
    }),
    { numRuns: 500 },
  );
});

test("changes replay to the same picture, and a second look finds nothing", () => {
  fc.assert(
    fc.property(cluster, cluster, (first, second) => {
      const compiler = new PolicyCompiler();
      const mirror = new Map<string, unknown>();
      const look = () => {
        const { changed, removed } = compiler.take();
        for (const { namespace, name } of removed) mirror.delete(`${namespace}/${name}`);
        for (const pod of changed) mirror.set(`${pod.namespace}/${pod.name}`, pod);
        expect(compiler.take()).toEqual({ changed: [], removed: [] });
      };
      for (const event of arrivals(first)) {
        event(compiler);
        look();
      }
      for (const { namespace, name } of first.pods) compiler.deletePod(namespace, name);
      for (const event of arrivals(second)) event(compiler);
      look();
      expect([...mirror.values()]).toHaveLength([...compiler.pods()].length);
      for (const pod of compiler.pods()) expect(mirror.get(`${pod.namespace}/${pod.name}`)).toEqual(pod);
    }),
    { numRuns: 300 },
  );
});

test("pods that the same policies select in the same way share one set and one identity", () => {
  const compiler = new PolicyCompiler();
  compiler.setNamespace("x", {});
  for (let index = 0; index < 50; index += 1) {
    compiler.setPod({
      namespace: "x",
      name: `p${index}`,
      labels: { app: "a", unique: `u${index}` },
      addresses: [],
      ports: [],
      hostNetwork: false,
      finished: false,
    });
  }
  setPolicy(compiler, {
    metadata: { namespace: "x", name: "n" },
    spec: { podSelector: { matchLabels: { app: "a" } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: "a" } } }] }] },
  });
  const { changed } = compiler.take();
  expect(new Set(changed.map(({ ingress }) => ingress)).size).toBe(1);
  expect(new Set(changed.map(({ identity }) => identity)).size).toBe(1);
});
