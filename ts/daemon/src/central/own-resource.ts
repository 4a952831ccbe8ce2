import type { NodeResource } from "@terway/model";
import type { Cluster, Watched } from "../cluster/cluster.ts";
import { type NodeResourceObject, nodeResources } from "../cluster/kinds.ts";

type Nic = NonNullable<NonNullable<NodeResource["status"]>["networkInterfaces"]>[string];

/** What the control plane has bound to a pod. */
export interface Binding {
  readonly podUid: string | undefined;
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** This node's own Node object of centralized IPAM, as the control plane last wrote it. */
export class OwnResource {
  readonly name: string;
  readonly #watched: Watched<NodeResourceObject>;

  constructor(cluster: Cluster, name: string) {
    this.name = name;
    this.#watched = cluster.watch(nodeResources, { fields: { "metadata.name": name } });
  }

  get object(): NodeResourceObject | undefined {
    return this.#watched.objects.get(this.name);
  }

  /** ENIs as the control plane shows them; undefined while it has not compared with the cloud once, so that what is absent says nothing. */
  get nics(): readonly Nic[] | undefined {
    const { status } = this.object ?? {};
    return status?.lastSyncOpenAPITime === undefined ? undefined : Object.values(status.networkInterfaces ?? {});
  }

  get synced(): Promise<void> {
    return this.#watched.synced;
  }

  onChange(listener: () => void): () => void {
    return this.#watched.objects.listen(listener);
  }

  /** Everything that is bound, by `namespace/name`; two sandboxes' worth where an older pod of the same name still holds something. */
  bindings(): ReadonlyMap<string, readonly Binding[]> {
    const found = new Map<string, Binding[]>();
    for (const nic of Object.values(this.object?.status?.networkInterfaces ?? {})) {
      for (const family of ["ipv4", "ipv6"] as const) {
        for (const { ip, podID, podUID } of Object.values(nic[family] ?? {})) {
          if (!podID) continue;
          const known = found.get(podID) ?? [];
          const same = known.findIndex(({ podUid }) => podUid === podUID);
          if (same < 0) known.push({ podUid: podUID, [family]: ip });
          else known[same] = { podUid: podUID, ...known[same], [family]: ip };
          found.set(podID, known);
        }
      }
    }
    return found;
  }

  /** Of this pod; without its uid only when there is no doubt. */
  binding(pod: { readonly podNamespace: string; readonly podName: string; readonly podUid?: string }): Binding | undefined {
    const all = this.bindings().get(`${pod.podNamespace}/${pod.podName}`) ?? [];
    if (pod.podUid !== undefined) return all.find(({ podUid }) => podUid === pod.podUid);
    return all.length === 1 ? all[0] : undefined;
  }

  /** What the control plane says of ENIs that cannot do more, for people. */
  complaints(): readonly string[] {
    return Object.values(this.object?.status?.networkInterfaces ?? {}).flatMap(({ conditions }) =>
      ["InsufficientIP", "OperationErr"].flatMap((name) => conditions?.[name]?.message ?? []),
    );
  }
}
