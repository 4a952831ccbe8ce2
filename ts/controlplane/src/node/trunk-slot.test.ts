import type { Eni } from "@terway/model";
import { expect, test } from "vitest";
import { nodeName, World } from "./testing/world.ts";

const trunk: Eni = {
  id: "eni-t",
  mac: "00:16:3e:00:00:f1",
  status: "InUse",
  type: "Trunk",
  zoneId: "z-1",
  vSwitchId: "vsw-a",
  securityGroupIds: [],
  instanceId: "i-1",
  primaryIpv4: "10.0.1.201",
  ipv4: ["10.0.1.201"],
  ipv6: [],
  tags: { creator: "terway" },
};

async function fullNode(flavor: NonNullable<World["spec"]["flavor"]>): Promise<World> {
  const world = new World({ maxEnis: 3, perEni: 10 });
  await world.clock.advance(0);
  await world.apply({ ...world.spec, flavor });
  world.start();
  for (let index = 0; index < 30; index++) world.pod(`p-${index}`);
  await world.clock.advance(120_000);
  return world;
}

const standard = (networkInterfaceType: "Secondary" | "Trunk", count: number) => ({
  ...{ networkInterfaceType, networkInterfaceTrafficMode: "Standard" as const, count },
});

test("the slot of a trunk stays free until there is one, and the trunk takes none of the pods' ENIs", async () => {
  const world = await fullNode([standard("Trunk", 1), standard("Secondary", 2)]);
  expect(Object.keys(world.bindings)).toHaveLength(20);
  expect(world.cloud.truth()).toHaveLength(2);
  world.cloud.put(trunk);
  await world.clock.advanceFor(world.nodes?.get(nodeName)?.pool?.sync() ?? Promise.reject(new Error("no pool")), 60_000);
  await world.clock.advance(120_000);
  expect(Object.keys(world.bindings)).toHaveLength(20);
  expect(
    world.cloud
      .truth()
      .map(({ type }) => type)
      .toSorted(),
  ).toEqual(["Secondary", "Secondary", "Trunk"]);
  expect(world.object.status?.networkInterfaces?.[trunk.id]).toMatchObject({ unschedulable: true, networkInterfaceType: "Trunk" });
  const view = world.nodes?.get(nodeName)?.pool?.view();
  expect(view?.capacity).toBe(20);
});

test("a trunk that was there first takes the slot that is kept for it, and pods have the others", async () => {
  const world = new World({ maxEnis: 3, perEni: 10 });
  world.cloud.put(trunk);
  await world.clock.advance(0);
  await world.apply({ ...world.spec, flavor: [standard("Trunk", 1), standard("Secondary", 2)] });
  world.start();
  for (let index = 0; index < 30; index++) world.pod(`p-${index}`);
  await world.clock.advance(120_000);
  expect(Object.keys(world.bindings)).toHaveLength(20);
});

test("without a trunk's flavour every slot is the pods', and ENIs with eRDMA are nobody's", async () => {
  expect(Object.keys((await fullNode([standard("Secondary", 3)])).bindings)).toHaveLength(30);
  const erdma = { networkInterfaceType: "Secondary", networkInterfaceTrafficMode: "HighPerformance", count: 1 } as const;
  expect(Object.keys((await fullNode([erdma, standard("Secondary", 2)])).bindings)).toHaveLength(20);
});
