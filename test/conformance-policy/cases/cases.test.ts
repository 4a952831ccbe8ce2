import { parseNetworkPolicy } from "@terway/policy";
import { expect, test } from "vitest";
import type { ApiCluster } from "../../../ts/policy/src/testing/api.ts";
import { isExpected, type Party } from "../expected.ts";
import { namespaces, podKey, pods, protocols, servedPorts } from "../scene.ts";
import type { Case } from "./case.ts";
import { cases } from "./index.ts";
import { randomCases } from "./random.ts";

const surroundings = {
  outside: ["10.0.9.1", "fd00:0:0:109::1"],
  nodes: [1, 2].map((place) => ({ name: `node-${place}`, addresses: [`10.0.${place}.1`, `fd00:0:0:10${place}::1`] })),
};
/** Pods of two nodes, as the lab numbers them. */
const base: ApiCluster = {
  namespaces: [...namespaces],
  pods: pods.map((pod, index) => ({
    ...pod,
    addresses: [`10.0.${(index % 2) + 1}.${index + 10}`, `fd00:0:0:10${(index % 2) + 1}::${index + 10}`],
  })),
  policies: [],
};
const parties: Party[] = [
  ...base.pods.map((pod, index): Party => ({ kind: "pod", key: podKey(pod), node: `node-${index % 2}` })),
  { kind: "outside", key: "outside", addresses: surroundings.outside },
];

function clusters({ steps }: Case): ApiCluster[] {
  let cluster = base;
  return steps.map(({ change }) => {
    cluster = change(cluster, surroundings);
    return cluster;
  });
}

test("every case has a name of its own, and there are hundreds", () => {
  expect(new Set(cases.map(({ group, name }) => `${group}: ${name}`)).size).toBe(cases.length);
  expect(cases.length).toBeGreaterThan(400);
});

test("every policy of the table is one that the API server takes", () => {
  for (const one of [...cases, ...randomCases(100, 1)]) {
    for (const policy of clusters(one).flatMap(({ policies }) => policies)) {
      expect([one.name, parseNetworkPolicy(policy)]).toMatchObject([one.name, { ok: true }]);
    }
  }
});

test("over the table every protocol and port is both allowed and denied between pods by rules, in each group", () => {
  const verdicts = new Map<string, Set<boolean>>();
  for (const one of cases) {
    for (const cluster of clusters(one)) {
      for (const [from, to] of [[parties[0], parties[4]] as const, [parties[4], parties[0]] as const]) {
        if (from === undefined || to === undefined) continue;
        for (const protocol of protocols) {
          for (const port of servedPorts) {
            const address = cluster.pods[to === parties[0] ? 0 : 4]?.addresses[0] ?? "";
            const key = `${one.group} ${protocol} ${port}`;
            verdicts.set(key, (verdicts.get(key) ?? new Set()).add(isExpected(cluster, from, to, address, protocol, port)));
          }
        }
      }
    }
  }
  expect([...verdicts].filter(([, seen]) => seen.size < 2)).toEqual([]);
});

test("the same seed makes the same random cases", () => {
  const names = (seed: number) => randomCases(20, seed).flatMap(({ steps }) => steps.map(({ name }) => name));
  expect(names(7)).toEqual(names(7));
  expect(names(7)).not.toEqual(names(8));
});
