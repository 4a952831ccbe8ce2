import { describe, expect, test } from "vitest";
import { World } from "./testing/world.ts";

const names = (count: number, prefix = "p") => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

async function running(options: ConstructorParameters<typeof World>[0] = {}, pods: readonly string[] = []): Promise<World> {
  const world = new World(options);
  world.start();
  for (const name of pods) world.pod(name);
  await world.clock.advance(30_000);
  return world;
}

describe("addresses of a node in its object", () => {
  test("an empty node warms up, and pods get addresses that the cloud has there", async () => {
    const world = await running({}, names(4));
    const { bindings } = world;
    expect(Object.keys(bindings).sort()).toEqual(names(4));
    for (const [address = ""] of Object.values(bindings)) expect(world.cloud.isAttached(address)).toBe(true);
    expect(new Set(Object.values(bindings).flat()).size).toBe(4);
    expect(world.object.spec?.nodeCap?.ipv4PerAdapter).toBe(10);
    expect(world.object.status?.lastSyncOpenAPITime).toBeDefined();
    const [nic] = Object.values(world.object.status?.networkInterfaces ?? {});
    expect(nic).toMatchObject({ status: "InUse", ipv4CIDR: "10.0.1.0/24", networkInterfaceType: "Secondary", vSwitchID: "vsw-a" });
    expect(nic?.conditions).toBeUndefined();
  });

  test("both families are bound on one ENI", async () => {
    const world = await running({ ipv6: true }, names(3));
    for (const addresses of Object.values(world.bindings)) expect(addresses.map((ip) => ip.includes(":")).sort()).toEqual([false, true]);
  });

  test("an address is free when the node says that its pod's sandbox is gone, not before", async () => {
    const world = await running({}, ["a"]);
    const [address] = world.bindings.a ?? [];
    world.say("a", "initial");
    world.forget("a");
    await world.clock.advance(600_000);
    expect(world.bindings.a).toEqual([address]);
    world.say("a", "deleted");
    await world.clock.advance(1_000);
    expect(world.bindings).toEqual({});
    // It rests before somebody else gets it.
    world.pod("b");
    await world.clock.advance(5_000);
    expect(world.bindings.b).not.toEqual([address]);
  });

  test("a pod that lives keeps its address whatever the node says of a sandbox of it", async () => {
    const world = await running({}, ["a"]);
    const before = world.bindings;
    world.say("a", "deleted");
    await world.clock.advance(60_000);
    expect(world.bindings).toEqual(before);
  });

  test("an address that vanishes at the cloud is replaced when its pod never had a network, and kept when it runs", async () => {
    const world = await running({}, ["runs", "waits"]);
    const { runs = [], waits = [] } = world.bindings;
    world.say("runs", "initial");
    world.pod("runs", runs);
    const gone = [...runs, ...waits];
    const [eni] = world.cloud.truth();
    world.cloud.change(eni?.id ?? "", (now) => ({ ...now, ipv4: now.ipv4.filter((address) => !gone.includes(address)) }));
    await world.prove();
    // The node may be about to use it: its word is waited for, and the object shows what is wrong.
    expect(world.bindings).toMatchObject({ runs, waits });
    expect(world.statusOf(waits[0])).toBe("Invalid");
    world.say("waits", "initial");
    await world.clock.advance(60_000);
    expect(world.bindings.waits).toEqual(waits);
    world.say("waits", "deleted");
    await world.clock.advance(10_000);
    const [fresh = ""] = world.bindings.waits ?? [];
    expect(gone).not.toContain(fresh);
    expect(world.cloud.isAttached(fresh)).toBe(true);
    expect(world.bindings.runs).toEqual(runs);
    expect(world.statusOf(runs[0])).toBe("Invalid");
    expect(world.statusOf(waits[0])).toBeUndefined();
  });

  test("another process finds a lost address as the one before left it", async () => {
    const world = await running({}, ["a"]);
    const { a: before = [] } = world.bindings;
    const [eni] = world.cloud.truth();
    world.cloud.change(eni?.id ?? "", (now) => ({ ...now, ipv4: now.ipv4.filter((address) => !before.includes(address)) }));
    await world.prove();
    await world.stop();
    world.say("a", "deleted");
    world.start();
    await world.clock.advance(30_000);
    const [fresh = ""] = world.bindings.a ?? [];
    expect(before).not.toContain(fresh);
    expect(world.cloud.isAttached(fresh)).toBe(true);
  });

  test("another control plane's process goes on where this one was", async () => {
    const world = await running({}, names(6));
    const before = world.bindings;
    await world.stop();
    world.start();
    await world.clock.advance(30_000);
    expect(world.bindings).toEqual(before);
    expect(world.cloud.truth()).toHaveLength(1);
  });

  test("two processes that both believe to lead: the one that did not write last stops writing", async () => {
    const world = await running({}, ["a"]);
    const first = world.nodes?.get("node-a");
    const counters = first?.counters;
    // Somebody else binds an address in the same object.
    const [nic] = Object.values(world.object.status?.networkInterfaces ?? {});
    const free = Object.values(nic?.ipv4 ?? {}).find(({ podID }) => podID === undefined);
    await world.api.call({
      method: "PATCH",
      path: "/apis/network.alibabacloud.com/v1beta1/nodes/node-a/status",
      query: { fieldManager: "other" },
      contentType: "application/apply-patch+yaml",
      body: {
        metadata: { name: "node-a" },
        status: { networkInterfaces: { [nic?.id ?? ""]: { ipv4: { [free?.ip ?? ""]: { podID: "default/other", podUID: "uid-other" } } } } },
      },
    });
    world.pod("b");
    await world.clock.advance(30_000);
    expect(counters?.conflicts).toBeGreaterThan(0);
    expect(world.bindings.other).toEqual([free?.ip]);
    expect(world.bindings.b).toHaveLength(1);
    expect(world.bindings.b).not.toEqual(world.bindings.other);
  });
});

test("a node that manages its ENIs itself again finds nothing of them in the object, and pods keep what they have", async () => {
  const world = await running({}, names(3));
  const { cloud, bindings } = world;
  const before = cloud.truth();
  await world.apply({});
  await world.clock.advance(120_000);
  expect(world.object.status).toEqual({});
  expect(cloud.truth()).toEqual(before);
  await world.applyWishes();
  for (const [name, addresses] of Object.entries(bindings)) world.pod(name, addresses);
  await world.clock.advance(60_000);
  expect(world.bindings).toEqual(bindings);
});

describe("take-over", () => {
  test("pods that run keep exactly their addresses, also beside new ones that want any", async () => {
    const world = new World();
    world.start();
    for (const name of names(5)) world.pod(name);
    await world.clock.advance(30_000);
    const before = { ...world.bindings };
    const { nodeCap: _, ...spec } = world.spec;
    world.kill();
    // The object is lost; the pods run.
    world.api.delete("/apis/network.alibabacloud.com/v1beta1/nodes/node-a");
    await world.apply(spec);
    for (const name of names(5)) world.pod(name, before[name]);
    for (const name of names(5, "new")) world.pod(name);
    world.start();
    await world.clock.advance(60_000);
    for (const name of names(5)) expect(world.bindings[name]).toEqual(before[name]);
    expect(Object.keys(world.bindings)).toHaveLength(10);
    expect(new Set(Object.values(world.bindings).flat()).size).toBe(10);
  });

  test("where an address was promised to a pod that has not begun, the one that runs with it has it", async () => {
    const world = await running({}, ["a"]);
    const [address = ""] = world.bindings.a ?? [];
    world.pod("old", [address]);
    await world.clock.advance(30_000);
    expect(world.bindings.old).toEqual([address]);
    expect(world.bindings.a).toHaveLength(1);
    expect(world.bindings.a).not.toEqual([address]);
  });
});

test("what is not ours is shown and never touched", async () => {
  const world = new World();
  const tags = { creator: "terway", "terway.alibabacloud.com/excluded": "true" };
  const foreign = {
    id: "eni-f",
    mac: "00:16:3e:00:00:f0",
    status: "InUse" as const,
    type: "Secondary" as const,
    zoneId: "z-1",
    vSwitchId: "vsw-a",
  };
  world.cloud.put({ ...foreign, securityGroupIds: [], instanceId: "i-1", primaryIpv4: "10.0.1.200", ipv4: ["10.0.1.200"], ipv6: [], tags });
  await world.clock.advance(0);
  const spec = world.spec;
  await world.apply({ ...spec, eni: { ...eniOf(spec), tagBlockList: [{ key: "terway.alibabacloud.com/excluded", value: "true" }] } });
  world.start();
  for (const name of names(25)) world.pod(name);
  await world.clock.advance(120_000);
  expect(world.object.status?.networkInterfaces?.["eni-f"]).toMatchObject({ unschedulable: true, status: "InUse" });
  // It takes one of the three slots.
  expect(Object.keys(world.bindings)).toHaveLength(20);
  expect(world.cloud.truth().find(({ id }) => id === "eni-f")?.ipv4).toEqual(["10.0.1.200"]);
});

function eniOf(spec: World["spec"]): NonNullable<World["spec"]["eni"]> {
  if (!spec.eni) throw new Error("the spec has no eni");
  return spec.eni;
}

test("killed at any step, the next process ends what was begun: nothing twice, nothing leaks, no address changes", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = new World({ seed, maxEnis: 2, perEni: 4, pool: { maxPoolSize: 1, minPoolSize: 0 } });
    const countdown = { left: world.random.integer(1, 30) };
    world.failpoint = () => {
      countdown.left -= 1;
      if (countdown.left === 0) world.kill();
    };
    world.start();
    for (const name of names(6)) world.pod(name);
    const seen = new Map<string, readonly string[]>();
    for (let second = 0; second < 240; second++) {
      await world.clock.advance(1_000);
      if (world.nodes === undefined) world.start();
      const { bindings } = world;
      expect(new Set(Object.values(bindings).flat()).size).toBe(Object.values(bindings).flat().length);
      for (const [name, addresses] of Object.entries(bindings)) {
        expect(seen.get(name) ?? addresses, `seed ${seed}`).toEqual(addresses);
        seen.set(name, addresses);
      }
    }
    expect(Object.keys(world.bindings).sort(), `seed ${seed}`).toEqual(names(6));
    // Each is used: seven or eight addresses on two ENIs.
    expect(world.cloud.truth(), `seed ${seed}`).toHaveLength(2);
    for (const name of names(6)) {
      world.forget(name);
      world.say(name, "deleted");
    }
    countdown.left = world.random.integer(1, 30);
    for (let second = 0; second < 400; second++) {
      await world.clock.advance(1_000);
      if (world.nodes === undefined) world.start();
    }
    expect(world.bindings, `seed ${seed}`).toEqual({});
    expect(world.cloud.truth().length, `seed ${seed}`).toBeLessThanOrEqual(1);
    expect(JSON.stringify(world.object.status), `seed ${seed}`).not.toContain("Intent");
    const truth = world.cloud.truth().flatMap(({ ipv4 }) => ipv4);
    const shown = Object.values(world.object.status?.networkInterfaces ?? {}).flatMap(({ ipv4 }) => Object.keys(ipv4 ?? {}));
    expect(shown.sort(), `seed ${seed}`).toEqual(truth.sort());
  }
}, 60_000);
