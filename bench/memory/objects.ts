export interface ClusterShape {
  /** Whose own objects are asked for. */
  readonly node: string;
  /** Pods of that node, `test/own-N`. */
  readonly ownPods: number;
  /** Pods of other nodes. */
  readonly pods: number;
  readonly policies: number;
  /** Text of `eni_conf`. */
  readonly eniConf: string;
}

const podsPerNamespace = 50;
const apps = 10;

/** Objects of a large cluster, made when they are asked for: fields, lengths and managed fields as those of a deployment's pods. */
export class ClusterObjects {
  readonly #shape: ClusterShape;

  constructor(shape: ClusterShape) {
    this.#shape = shape;
  }

  /** What a path lists. */
  kindOf(path: string, fieldSelector: string | null): string {
    const plural = path.split("/").at(-1) ?? "";
    return plural === "pods" && fieldSelector !== null ? "own pods" : plural;
  }

  /** The object of a path that names one; null: there is none; undefined: the path names a list. */
  single(path: string): object | null | undefined {
    const [, name] = /\/nodes\/([^/]+)$/.exec(path) ?? [];
    if (name !== undefined) return this.#node();
    const [, own] = /\/namespaces\/test\/pods\/own-(\d+)$/.exec(path) ?? [];
    if (own !== undefined) return this.#pod("test", `own-${own}`, this.#shape.node, Number(own), 1);
    if (path.endsWith("/configmaps/eni-config")) return this.#configMap();
    return /\/namespaces\/[^/]+\/[^/]+\/[^/]+$/.test(path) ? null : undefined;
  }

  count(kind: string): number {
    const { pods, policies, ownPods } = this.#shape;
    const counts: Record<string, number> = {
      pods: pods + ownPods,
      "own pods": ownPods,
      namespaces: this.#namespaces + 1,
      networkpolicies: policies,
      nodes: 1,
      configmaps: 1,
    };
    return counts[kind] ?? 0;
  }

  at(kind: string, index: number, version: number): object {
    const { ownPods, node } = this.#shape;
    const own = kind === "own pods" || (kind === "pods" && index < ownPods);
    if (own) return this.#pod("test", `own-${index}`, node, index, version);
    if (kind === "pods")
      return this.#pod(`team-${Math.floor((index - ownPods) / podsPerNamespace)}`, `web-${index}`, "another", index, version);
    if (kind === "namespaces") return this.#namespace(index === 0 ? "test" : `team-${index - 1}`, version);
    if (kind === "networkpolicies") return this.#policy(index, version);
    return kind === "nodes" ? this.#node() : this.#configMap();
  }

  get #namespaces(): number {
    return Math.max(1, Math.ceil(this.#shape.pods / podsPerNamespace));
  }

  #pod(namespace: string, name: string, nodeName: string, index: number, version: number): object {
    const labels = {
      app: `app-${index % apps}`,
      "pod-template-hash": Math.floor(index / (5 * apps))
        .toString(16)
        .padStart(9, "7"),
      "app.kubernetes.io/managed-by": "Helm",
    };
    const env = Array.from({ length: 12 }, (_, number) => ({ name: `SETTING_${number}`, value: `a value of some length ${index}` }));
    const managed = { manager: "kube-controller-manager", operation: "Update", apiVersion: "v1", fieldsType: "FieldsV1" };
    return {
      metadata: {
        ...{ namespace, name, labels },
        // Without a uid any sandbox of its name is its own.
        uid: nodeName === this.#shape.node ? "" : `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
        resourceVersion: String(version),
        creationTimestamp: "2026-01-01T00:00:00Z",
        managedFields: Array.from({ length: 3 }, () => ({
          ...managed,
          fieldsV1: { "f:metadata": { "f:labels": labels }, "f:spec": { "f:containers": env } },
        })),
      },
      spec: {
        nodeName,
        containers: [
          { name: "web", image: "registry.example/web:1.2.3", env, ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }] },
        ],
      },
      status: {
        phase: "Running",
        podIP: addressOf(index),
        podIPs: [{ ip: addressOf(index) }],
        conditions: [{ type: "Ready", status: "True" }],
      },
    };
  }

  #namespace(name: string, version: number): object {
    return {
      metadata: {
        name,
        uid: `uid-${name}`,
        resourceVersion: String(version),
        labels: { "kubernetes.io/metadata.name": name, team: `t${name.length}` },
      },
    };
  }

  /** In each namespace about as many as there are pods for, by turns about pods of the namespace and of others; the node's own are selected, too. */
  #policy(index: number, version: number): object {
    const namespace = index % 10 === 0 ? "test" : `team-${index % this.#namespaces}`;
    const from =
      index % 3 === 0
        ? { namespaceSelector: { matchLabels: { team: "t7" } } }
        : { podSelector: { matchLabels: { app: `app-${(index + 1) % apps}` } } };
    return {
      metadata: { namespace, name: `allow-${index}`, uid: `uid-policy-${index}`, resourceVersion: String(version) },
      spec: {
        podSelector: { matchLabels: { app: `app-${index % apps}` } },
        policyTypes: ["Ingress"],
        ingress: [{ from: [from], ports: [{ protocol: "TCP", port: 8080 }] }],
      },
    };
  }

  #node(): object {
    return {
      metadata: { name: this.#shape.node, uid: "uid-node", resourceVersion: "1", labels: {}, annotations: {} },
      status: { conditions: [] },
    };
  }

  #configMap(): object {
    const data = {
      eni_conf: this.#shape.eniConf,
      "10-terway.conf": JSON.stringify({ cniVersion: "0.4.0", name: "terway", type: "terway" }),
      disable_network_policy: "false",
    };
    return { metadata: { namespace: "kube-system", name: "eni-config", uid: "uid-config", resourceVersion: "1" }, data };
  }
}

function addressOf(index: number): string {
  return `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
}
