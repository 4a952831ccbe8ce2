import { type Labels, type NetworkPolicy, type PolicyPod, parseNetworkPolicy } from "@terway/policy";
import { generator } from "../statistics.ts";

/** The shape of Antrea's largest published test: many small namespaces, a few policies and pods in each. */
export interface ClusterShape {
  readonly namespaces: number;
  readonly policiesPerNamespace: number;
  readonly podsPerNamespace: number;
  /** Peers in each direction of a policy. */
  readonly selectorsPerPolicy: number;
  /** Share of peers that select other namespaces by their labels. */
  readonly crossing: number;
  readonly seed: number;
}

export interface Cluster {
  readonly namespaces: readonly { readonly name: string; readonly labels: Labels }[];
  readonly pods: readonly PolicyPod[];
  readonly policies: readonly NetworkPolicy[];
}

/** Objects already decoded: what is measured is compiling them. The same shape gives the same cluster. */
export function generateCluster(shape: ClusterShape): Cluster {
  const random = generator(shape.seed);
  const roll = (most: number) => Math.floor(random() * most);
  const namespaces: { name: string; labels: Labels }[] = [];
  const pods: PolicyPod[] = [];
  const policies: NetworkPolicy[] = [];
  for (let index = 0; index < shape.namespaces; index += 1) {
    const namespace = `ns-${index}`;
    namespaces.push({ name: namespace, labels: { "kubernetes.io/metadata.name": namespace, team: `team-${index % 500}` } });
    for (let number = 0; number < shape.podsPerNamespace; number += 1) {
      const address = index * shape.podsPerNamespace + number;
      pods.push({
        namespace,
        name: `pod-${number}`,
        labels: { app: `app-${number % shape.policiesPerNamespace}`, "pod-template-hash": String(roll(1e6)) },
        addresses: [`10.${(address >> 16) & 255}.${(address >> 8) & 255}.${address & 255}`],
        ports: [{ name: "http", protocol: "TCP", port: 80 }],
        hostNetwork: false,
        finished: false,
      });
    }
    const peer = () => {
      const podSelector = { matchLabels: { app: `app-${roll(shape.policiesPerNamespace)}` } };
      return random() < shape.crossing
        ? { podSelector, namespaceSelector: { matchLabels: { team: `team-${roll(500)}` } } }
        : { podSelector };
    };
    const peers = () => Array.from({ length: shape.selectorsPerPolicy }, peer);
    for (let number = 0; number < shape.policiesPerNamespace; number += 1) {
      const parsed = parseNetworkPolicy({
        metadata: { namespace, name: `policy-${number}` },
        spec: {
          podSelector: { matchLabels: { app: `app-${number}` } },
          policyTypes: ["Ingress", "Egress"],
          ingress: [{ from: peers(), ports: [{ port: 80 }] }],
          egress: [{ to: peers(), ports: [{ protocol: "UDP", port: 53 }] }],
        },
      });
      if (!parsed.ok) throw new Error(`the generator made a policy that is none: ${JSON.stringify(parsed.issues)}`);
      policies.push(parsed.policy);
    }
  }
  return { namespaces, pods, policies };
}
