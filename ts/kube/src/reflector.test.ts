import { SeededRandom } from "@terway/model/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Reflector, type ReflectorOptions } from "./reflector.ts";
import type { Resource, Stored } from "./resource.ts";
import { Store } from "./store.ts";
import { fastClock } from "./testing/fast-clock.ts";
import { answer, type FakeObject, ScriptedServer } from "./testing/scripted-server.ts";

const pods: Resource = { apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true };
const speed = 20;
const prune = (object: unknown) => object as FakeObject;

let server: ScriptedServer;
let reflector: Reflector<Stored> | undefined;
let troubles: string[];

beforeEach(async () => {
  server = await ScriptedServer.start();
  troubles = [];
});
afterEach(async () => {
  await reflector?.stop();
  reflector = undefined;
  await server.close();
});

function reflect(options: Partial<ReflectorOptions<Stored>> = {}): Store<Stored> {
  const store = new Store<Stored>();
  const onTrouble = ({ phase, error }: { phase: string; error: Error }) => troubles.push(`${phase}: ${error.message}`);
  reflector = new Reflector<Stored>({
    client: server.client(),
    clock: fastClock(speed),
    random: new SeededRandom(1),
    resource: pods,
    store,
    prune,
    onTrouble,
    ...options,
  });
  reflector.start();
  return store;
}

const names = (store: Store<Stored>) => [...store.values()].map(({ metadata }) => metadata.name).toSorted();
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 5 });

test("lists in pages, then follows what is added, changed and deleted", async () => {
  for (let index = 0; index < 7; index += 1) server.put(`p${index}`);
  const store = reflect({ pageSize: 3 });
  await reflector?.synced;
  expect(store.size).toBe(7);
  expect(server.requests.map(({ kind, query }) => [kind, query.get("limit"), query.get("continue")]).slice(0, 3)).toEqual([
    ["list", "3", null],
    ["list", "3", "3"],
    ["list", "3", "6"],
  ]);
  await eventually(() => expect(server.openWatches).toBe(1));
  server.put("new");
  server.delete("p0");
  await eventually(() => expect(names(store)).toEqual(["new", "p1", "p2", "p3", "p4", "p5", "p6"]));
});

test("asks for bookmarks and for an end of the watch, spread between five and ten minutes", async () => {
  reflect();
  await eventually(() => expect(server.count("watch")).toBe(1));
  const query = server.requests.at(-1)?.query;
  expect(query?.get("allowWatchBookmarks")).toBe("true");
  const seconds = Number(query?.get("timeoutSeconds"));
  expect(seconds).toBeGreaterThanOrEqual(300);
  expect(seconds).toBeLessThanOrEqual(600);
});

test("a reset connection goes on from the last version, bookmarks counted, without a new list", async () => {
  const store = reflect();
  await eventually(() => expect(server.openWatches).toBe(1));
  server.put("a");
  server.bookmark();
  await eventually(() => expect(store.size).toBe(1));
  server.reset();
  server.put("b");
  await eventually(() => expect(names(store)).toEqual(["a", "b"]));
  expect(server.count("list")).toBe(1);
  expect(Number(server.requests.at(-1)?.query.get("resourceVersion"))).toBeGreaterThan(100);
});

test("watches that end at once are begun again with growing delays, and never listed anew", async () => {
  server.onWatch = (_, response) => {
    response.writeHead(200);
    response.end();
    return true;
  };
  reflect();
  await new Promise((resolve) => setTimeout(resolve, 10_000 / speed));
  // 10 s of the reflector's time: 0.8 + 1.6 + 3.2 + … s between attempts.
  expect(server.count("watch")).toBeLessThanOrEqual(5);
  expect(server.count("watch")).toBeGreaterThanOrEqual(2);
  expect(server.count("list")).toBe(1);
});

test("a version that is gone again and again makes no storm of lists", async () => {
  server.onWatch = (_, response) => {
    answer(response, 410, { kind: "Status", code: 410, reason: "Expired" });
    return true;
  };
  const store = reflect();
  server.put("late");
  await new Promise((resolve) => setTimeout(resolve, 10_000 / speed));
  expect(server.count("list")).toBeLessThanOrEqual(5);
  server.onWatch = undefined;
  server.put("later");
  await eventually(() => expect(names(store)).toEqual(["late", "later"]));
});

test("a server that was away for long and forgot the version is listed soon", async () => {
  const waits: number[] = [];
  const store = reflect({ onTrouble: ({ retryMs }) => waits.push(retryMs) });
  await reflector?.synced;
  await eventually(() => expect(server.openWatches).toBe(1));
  let away = true;
  server.onWatch = (request, response) => {
    if (away) request.socket.destroy();
    else answer(response, 410, { kind: "Status", code: 410, reason: "Expired" });
    return true;
  };
  server.onList = () => {
    server.onWatch = undefined;
    return false;
  };
  server.reset();
  await eventually(() => expect(Math.max(0, ...waits)).toBeGreaterThan(10_000));
  server.put("meanwhile");
  away = false;
  await eventually(() => expect(names(store)).toEqual(["meanwhile"]));
  expect(waits.at(-1)).toBeLessThan(2_000);
});

test("410 inside a running watch leads to a new list, and what went meanwhile is deleted", async () => {
  server.put("stays");
  server.put("goes");
  const store = reflect();
  await eventually(() => expect(server.openWatches).toBe(1));
  let first = true;
  server.onWatch = (_, response) => {
    if (!first) return false;
    first = false;
    response.writeHead(200);
    response.end(`${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } })}\n`);
    return true;
  };
  server.oldest = 1e9;
  server.reset();
  server.delete("goes");
  server.oldest = 0;
  await eventually(() => expect(names(store)).toEqual(["stays"]));
  expect(server.count("list")).toBe(2);
});

test.each([
  [429, "3"],
  [503, "3"],
])("status %d with Retry-After is obeyed", async (status, seconds) => {
  let refusals = 1;
  server.onList = (_, response) => {
    if (refusals === 0) return false;
    refusals -= 1;
    answer(response, status, { kind: "Status", message: "too many" }, { "retry-after": seconds });
    return true;
  };
  const store = reflect();
  server.put("a");
  await eventually(() => expect(store.size).toBe(1));
  const [refused, served] = server.requests;
  expect((served?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual((Number(seconds) * 1000) / speed - 5);
  expect(troubles).toEqual(["list: GET /api/v1/pods: too many"]);
});

test("half a line is dropped, and its object comes with the next watch", async () => {
  const store = reflect();
  await eventually(() => expect(server.openWatches).toBe(1));
  server.onWatch = (_, response) => {
    server.onWatch = undefined;
    response.writeHead(200);
    response.write('{"type":"ADDED","object":{"metadata":{"name":"ha');
    setTimeout(() => response.destroy(), 10);
    return true;
  };
  server.reset();
  server.put("whole");
  await eventually(() => expect(names(store)).toEqual(["whole"]));
  expect(server.count("list")).toBe(1);
});

test("a line that is no JSON is trouble, not the end", async () => {
  const store = reflect();
  await eventually(() => expect(server.openWatches).toBe(1));
  server.onWatch = (_, response) => {
    server.onWatch = undefined;
    response.writeHead(200);
    response.end("<html>\n");
    return true;
  };
  server.reset();
  server.put("a");
  await eventually(() => expect(names(store)).toEqual(["a"]));
  expect(troubles.some((line) => line.startsWith("watch:"))).toBe(true);
});

test("a watch that says nothing is taken for dead and begun again", async () => {
  let silent = 1;
  server.onWatch = (_, response) => {
    if (silent === 0) return false;
    silent -= 1;
    response.writeHead(200);
    response.flushHeaders();
    return true;
  };
  const store = reflect({ silenceMs: 4000 });
  await eventually(() => expect(server.count("watch")).toBe(1));
  server.put("unheard");
  await eventually(() => expect(names(store)).toEqual(["unheard"]));
  expect(troubles).toEqual(["watch: the watch said nothing for 4000 ms"]);
  expect(server.count("list")).toBe(1);
});

test("events told twice or in the wrong order leave the newest version", async () => {
  const store = reflect();
  await eventually(() => expect(server.openWatches).toBe(1));
  const old = server.put("a", { step: 1 });
  const recent = server.put("a", { step: 2 });
  await eventually(() => expect(store.get("default/a")).toMatchObject({ step: 2 }));
  server.onWatch = (_, response) => {
    server.onWatch = undefined;
    response.writeHead(200);
    for (const object of [recent, old, old]) response.write(`${JSON.stringify({ type: "MODIFIED", object })}\n`);
    response.end();
    return true;
  };
  const seen: unknown[] = [];
  store.listen((event) => seen.push(event));
  server.reset();
  server.put("b");
  await eventually(() => expect(store.size).toBe(2));
  expect(store.get("default/a")).toMatchObject({ step: 2 });
  expect(seen).toHaveLength(1);
});

test("an object that is of no interest any more leaves the store", async () => {
  server.put("a", { wanted: true });
  const store = reflect({ prune: (object) => ((object as FakeObject).wanted ? (object as FakeObject) : undefined) });
  await eventually(() => expect(server.openWatches).toBe(1));
  expect(store.size).toBe(1);
  server.put("a", { wanted: false });
  await eventually(() => expect(store.size).toBe(0));
});

test("a page token that has expired begins the list anew", async () => {
  for (let index = 0; index < 6; index += 1) server.put(`p${index}`);
  let expired = true;
  server.onList = (request, response) => {
    if (!expired || !request.url?.includes("continue=")) return false;
    expired = false;
    answer(response, 410, { kind: "Status", code: 410, reason: "Expired", message: "the continue token is too old" });
    return true;
  };
  const store = reflect({ pageSize: 3 });
  await reflector?.synced;
  expect(store.size).toBe(6);
});

test("stopped while it waits to come back, it never comes back", async () => {
  server.onWatch = (_, response) => {
    answer(response, 500, {});
    return true;
  };
  reflect();
  await eventually(() => expect(troubles.length).toBeGreaterThan(0));
  await reflector?.stop();
  const before = server.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 5000 / speed));
  expect(server.requests).toHaveLength(before);
});
