import { ApiError, type KubeClient, keyOf, openClient, pathOf, Reflector, type ReflectorOptions, Store, type Stored } from "@terway/kube";
import { nodeIdentity } from "@terway/lab";
import { systemClock, systemRandom } from "@terway/model";
import { afterEach, expect, test, vi } from "vitest";
import { useControlPlane } from "../control-plane-fixture.ts";
import { configMaps, createConfigMap, createNamespace, createPod, pods, remove } from "./objects.ts";

/** The reflector's promises against the API server that they are about; the faults that a real one cannot be asked for are in ts/kube. */
const plane = useControlPlane();
const running: Reflector<Stored>[] = [];
let troubles: string[] = [];

afterEach(async () => {
  for (const reflector of running.splice(0)) await reflector.stop();
  troubles = [];
});

function reflect(options: Partial<ReflectorOptions<Stored>>): { store: Store<Stored>; reflector: Reflector<Stored> } {
  const store = new Store<Stored>();
  const reflector = new Reflector<Stored>({
    client: plane().client,
    clock: systemClock,
    random: systemRandom,
    resource: configMaps,
    store,
    // What the server sends is what the test wrote, and only metadata is looked at.
    prune: (object) => object as Stored,
    onTrouble: ({ phase, error }) => troubles.push(`${phase}: ${error.message}`),
    ...options,
  });
  running.push(reflector);
  reflector.start();
  return { store, reflector };
}

const keys = (store: Store<Stored>) => [...store.values()].map(keyOf).toSorted();
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

test("lists in pages, then follows what is added, changed and deleted", async () => {
  const { client } = plane();
  const namespace = await createNamespace(client, "pages");
  for (const name of ["a", "b", "c", "d", "e", "f", "g"]) await createConfigMap(client, namespace, name);
  const { store, reflector } = reflect({ namespace, pageSize: 3 });
  await reflector.synced;
  expect(keys(store)).toEqual(["a", "b", "c", "d", "e", "f", "g"].map((name) => `pages/${name}`));
  const before = store.get("pages/a")?.metadata.resourceVersion;
  await createConfigMap(client, namespace, "h");
  await remove(client, configMaps, namespace, "b");
  await client.call({
    method: "PATCH",
    path: pathOf(configMaps, namespace, "a"),
    contentType: "application/merge-patch+json",
    body: { data: { changed: "yes" } },
  });
  await eventually(() => {
    expect(keys(store)).toEqual(["a", "c", "d", "e", "f", "g", "h"].map((name) => `pages/${name}`));
    expect(store.get("pages/a")?.metadata.resourceVersion).not.toBe(before);
  });
  expect(reflector.counters).toMatchObject({ lists: 1, watches: 1, events: 3 });
  expect(troubles).toEqual([]);
});

test("a node's reflector sees the pods of its node, and may not ask for others", async () => {
  const { client } = plane();
  const namespace = await createNamespace(client, "bound");
  const kubeconfig = await plane().kubeconfig("node-a", nodeIdentity("node-a"), "here");
  const node = await openClient({ kubeconfig }, "test");
  const { store, reflector } = reflect({ client: node, resource: pods, fieldSelector: "spec.nodeName=node-a" });
  await reflector.synced;
  await createPod(client, namespace, "mine", "node-a");
  await createPod(client, namespace, "other", "node-b");
  await createPod(client, namespace, "mine-too", "node-a");
  await eventually(() => expect(keys(store)).toEqual(["bound/mine", "bound/mine-too"]));
  await expect(node.call({ method: "GET", path: pathOf(pods) })).rejects.toMatchObject({ name: "ApiError", status: 403 });
});

/** A client whose next watch asks for a version that the server has long forgotten. */
function forgetful(client: KubeClient, times: number): { client: KubeClient; refused: () => number } {
  let left = times;
  let refused = 0;
  const open: KubeClient["open"] = async (request) => {
    if (request.query?.watch !== true || left === 0) return client.open(request);
    left -= 1;
    const stream = await client.open({ ...request, query: { ...request.query, resourceVersion: "1" } }).catch((error: unknown) => {
      refused += 1;
      throw error;
    });
    return {
      body: (async function* () {
        for await (const chunk of stream.body) {
          if (Buffer.from(chunk).includes('"code":410')) refused += 1;
          yield chunk;
        }
      })(),
    };
  };
  return { client: { call: client.call, open }, refused: () => refused };
}

test("a version that the server has forgotten leads to one new list", async () => {
  const { client } = plane();
  const namespace = await createNamespace(client, "forgotten");
  await createConfigMap(client, namespace, "a");
  // What the server remembers begins when it starts.
  await plane().stopApiServer();
  await plane().startApiServer();
  const { client: asking, refused } = forgetful(client, 1);
  const { store, reflector } = reflect({ client: asking, namespace });
  await eventually(() => expect(reflector.counters.lists).toBe(2));
  await createConfigMap(client, namespace, "b");
  await eventually(() => expect(keys(store)).toEqual(["forgotten/a", "forgotten/b"]));
  expect(refused()).toBe(1);
  expect(reflector.counters.lists).toBe(2);
});

test("the API server goes and comes again: the store follows, with one new list at most", async () => {
  const { client } = plane();
  const namespace = await createNamespace(client, "outage");
  await createConfigMap(client, namespace, "before");
  const { store, reflector } = reflect({ namespace });
  await reflector.synced;
  await plane().stopApiServer();
  await eventually(() => expect(troubles.length).toBeGreaterThan(1));
  expect(keys(store)).toEqual(["outage/before"]);
  await plane().startApiServer();
  await createConfigMap(client, namespace, "after");
  await remove(client, configMaps, namespace, "before");
  await eventually(() => expect(keys(store)).toEqual(["outage/after"]));
  expect(reflector.counters.lists).toBeLessThanOrEqual(2);
});

test("a refusal says who may not do what", async () => {
  const kubeconfig = await plane().kubeconfig("nobody", { user: "nobody" }, "here");
  const nobody = await openClient({ kubeconfig }, "test");
  const refusal = await nobody.call({ method: "GET", path: pathOf(configMaps, "default") }).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApiError);
  expect(refusal).toMatchObject({ status: 403, reason: "Forbidden", message: expect.stringContaining('User "nobody" cannot list') });
});
