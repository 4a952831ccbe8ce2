import { Store, type Stored } from "@terway/kube";
import type { Cluster, Watched } from "./cluster.ts";

/** Nobody to ask: the CNI call is all that is known. */
export const noCluster: Cluster = {
  follow: () => ({ synced: Promise.resolve(), stop: async () => {} }),
  watch: <T extends Stored>(): Watched<T> => ({ objects: new Store<T>(), synced: Promise.resolve(), stop: async () => {} }),
  read: async () => undefined,
  fresh: async () => {},
  complete: false,
  close: async () => {},
};
