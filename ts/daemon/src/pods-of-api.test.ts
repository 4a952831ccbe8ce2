import { systemClock, systemRandom } from "@terway/model";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ScriptedServer } from "../../kube/src/testing/scripted-server.ts";
import { ApiCluster } from "./cluster/api-cluster.ts";
import { openLog } from "./log.ts";
import { Pods } from "./pods.ts";

let server: ScriptedServer;
let cluster: ApiCluster;
let pods: Pods;
beforeEach(async () => {
  server = await ScriptedServer.start();
});
afterEach(async () => {
  await cluster?.close();
  await server.close();
});

const start = async () => {
  const { log } = openLog("fatal", "test");
  cluster = new ApiCluster({ client: server.client(), clock: systemClock, random: systemRandom, log });
  pods = new Pods({ cluster, nodeName: "node-a", clock: systemClock, log });
  await pods.synced;
};
const identity = (name: string, uid = `uid-${name}`) => ({ namespace: "default", name, uid });
const staticUid = "0123456789abcdef0123456789abcdef";

describe("a pod of this node", () => {
  test("known by the watch: no request, also while the server is away", async () => {
    server.put("a", { metadata: { labels: { app: "x" } } });
    await start();
    const before = server.requests.length;
    expect((await pods.pod(identity("a")))?.metadata.labels).toEqual({ app: "x" });
    expect(server.requests.slice(before)).toEqual([]);
    server.onWatch = server.onList = (request) => {
      request.socket.destroy();
      return true;
    };
    server.reset();
    expect((await pods.pod(identity("a")))?.metadata.uid).toBe("uid-a");
  });

  test("told a moment later: the watch is waited for, nothing is asked", async () => {
    await start();
    const answer = pods.pod(identity("late"));
    server.put("late");
    expect((await answer)?.metadata.name).toBe("late");
    expect(server.count("other")).toBe(0);
  });

  test("not told: one question; its answer is what counts", async () => {
    await start();
    server.onWatch = () => true;
    server.reset();
    server.put("a");
    expect((await pods.pod(identity("a")))?.metadata.name).toBe("a");
    expect(server.count("other")).toBe(1);
  });

  test("deleted, or another one of its name: refused with what is the case", async () => {
    server.put("b");
    await start();
    await expect(pods.pod(identity("a"))).rejects.toMatchObject({ code: 11, message: expect.stringContaining("it was deleted") });
    await expect(pods.pod(identity("b", "uid-older"))).rejects.toThrow("there is another one of that name, uid-b");
  });

  test("unknown while the server is away: refused with the cause", async () => {
    await start();
    await server.close();
    await expect(pods.pod(identity("a"))).rejects.toThrow(/not known here, and the API server cannot be asked: /);
    expect(await pods.isGone(identity("a"))).toBe(false);
  });

  test("static: its mirror is it, and without one it runs all the same", async () => {
    server.put("mirrored", { metadata: { annotations: { "kubernetes.io/config.mirror": staticUid } } });
    await start();
    expect((await pods.pod(identity("mirrored", staticUid)))?.metadata.uid).toBe("uid-mirrored");
    expect(await pods.pod(identity("unmirrored", staticUid))).toBeUndefined();
    expect(server.count("other")).toBe(0);
  });

  test("no pod of Kubernetes at all is nobody's question", async () => {
    await start();
    expect(await pods.pod({ namespace: "cni", name: "container" })).toBeUndefined();
    expect(server.count("other")).toBe(0);
  });
});

test("gone is who is surely gone: deleted, replaced, evicted; not who terminates", async () => {
  server.put("terminating", { metadata: { deletionTimestamp: "2026-11-20T00:00:00Z" }, status: { phase: "Running" } });
  server.put("evicted", { status: { phase: "Failed", reason: "Evicted" } });
  server.put("completed", { status: { phase: "Succeeded" } });
  server.put("replaced");
  await start();
  const gone = async (name: string, uid?: string) => pods.isGone(identity(name, uid));
  expect(await gone("terminating")).toBe(false);
  expect(await gone("evicted")).toBe(true);
  expect(await gone("completed")).toBe(true);
  expect(await gone("replaced", "uid-older")).toBe(true);
  expect(await gone("deleted")).toBe(true);
});

describe("a PodENI that is waited for", () => {
  const podEni = (phase: string) => ({ spec: { allocations: [] }, status: { phase } });

  test("its change is told at once, that of another pod's is not, and the time is over when it is over", async () => {
    server.put("a", podEni(""));
    server.put("b", podEni(""));
    await start();
    // The first list tells of both.
    await Promise.all(["a", "b"].map((name) => pods.podEniChanged(identity(name), 60_000)));
    const changed = pods.podEniChanged(identity("a"), 60_000);
    const other = pods.podEniChanged(identity("b"), 60_000);
    let told = false;
    void other.then(() => {
      told = true;
    });
    await vi.waitFor(() => expect(server.openWatches).toBe(2));
    server.put("a", podEni("Bind"));
    expect(await changed).toBe(true);
    expect(told).toBe(false);
    server.put("b", podEni("Bind"));
    expect(await other).toBe(true);
    expect(await pods.podEniChanged(identity("c"), 20)).toBe(true);
  });
});
