import type { ApiPeer } from "../../../ts/policy/src/testing/api.ts";
import { addressesOf, hostPrefix, podKey } from "../scene.ts";
import { type Case, directions, put, ruleSpec, type Step, withPolicy } from "./case.ts";

const podsB: ApiPeer = { namespaceSelector: {}, podSelector: { matchLabels: { pod: "b" } } };

const setFinished = (key: string, finished: boolean): Step => ({
  name: `pod ${key} ${finished ? "has finished" : "runs"}`,
  change: (cluster) => ({ ...cluster, pods: cluster.pods.map((pod) => (podKey(pod) === key ? { ...pod, finished } : pod)) }),
});

/** A pod of the hosts' network: its addresses are the node's, and stand in its object's status as every pod's do. */
const onHosts = (labels: Record<string, string>): Step => ({
  name: `pods of the hosts' network with ${JSON.stringify(labels)}`,
  change: (cluster, { nodes }) => ({
    ...cluster,
    pods: [
      ...cluster.pods,
      ...nodes.map(({ name, addresses }) => ({
        ...{ namespace: "y", name: `host-${name}`, labels, addresses: [...addresses] },
        ...{ ports: [], hostNetwork: true, finished: false },
      })),
    ],
  }),
});

/** Who counts as a pod that selectors speak of. */
export const memberCases: readonly Case[] = directions.flatMap((direction): Case[] => {
  const one = (name: string, ...steps: Case["steps"]): Case => ({ group: "members", name: `${direction}: ${name}`, steps });
  const blocksOf = (key: string): Step => ({
    name: `put a block of ${key}`,
    change: (cluster) => {
      const peers = addressesOf(cluster, key).map((address) => ({ ipBlock: { cidr: hostPrefix(address) } }));
      return withPolicy(cluster, ruleSpec(direction, peers, undefined));
    },
  });
  return [
    one("a peer finishes", put(ruleSpec(direction, [podsB], undefined)), setFinished("y/b", true), setFinished("y/b", false)),
    one("what has finished is an address like others", blocksOf("y/b"), setFinished("y/b", true)),
    one("pods of the hosts' network are no members", onHosts({ pod: "b" }), put(ruleSpec(direction, [podsB], undefined))),
    one(
      "pods of the hosts' network are no targets",
      onHosts({ pod: "b" }),
      put({ podSelector: {}, policyTypes: [direction] }, "deny", "y"),
    ),
  ];
});
