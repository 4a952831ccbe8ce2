import {
  containerRuntime,
  KubernetesCluster,
  Lab,
  missingFiles,
  type PoolSize,
  type ProxyMode,
  planOf,
  sweep,
  type TerwayKeys,
} from "@terway/lab";
import { afterAll, beforeAll, expect } from "vitest";
import { nextId } from "./control-plane-fixture.ts";

export interface ClusterWish {
  readonly nodes: number;
  /** Default `ecs.g7.xlarge`: three ENIs of 15 addresses for pods. */
  readonly instanceType?: string;
  /** Free addresses that each node keeps; absent: terwayd is not started. */
  readonly pool?: PoolSize;
  /** Of terwayd. */
  readonly keys?: TerwayKeys;
  /** kube-proxy's mode; default nftables. */
  readonly proxy?: ProxyMode;
}

/** A whole cluster for the tests of the calling file; removed after them, with the proof that nothing is left. */
export function useCluster({ nodes, instanceType, pool, keys, proxy = "nftables" }: ClusterWish): () => KubernetesCluster {
  const id = nextId();
  let cluster: KubernetesCluster | undefined;
  beforeAll(async () => {
    const runtime = containerRuntime("debian");
    const missing = await missingFiles(runtime);
    if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; npm run bootstrap installs them`);
    const usual = planOf(nodes);
    const plan = {
      ...usual,
      nodes: usual.nodes.map((node) => ({ ...node, ...(instanceType === undefined ? {} : { instanceType }) })),
    };
    const lab = await Lab.create(id, plan);
    cluster = await KubernetesCluster.start(lab, { plan, runtime, proxy });
    if (pool !== undefined) await cluster.startTerway(pool, keys);
  });
  afterAll(async () => {
    for (const { on } of cluster?.nodes ?? []) on.containerd.cri.close();
    expect(await sweep(id)).toEqual([]);
  });
  return () => {
    if (cluster === undefined) throw new Error("the cluster is not there");
    return cluster;
  };
}
