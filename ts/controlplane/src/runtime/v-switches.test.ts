import type { VSwitch } from "@terway/model";
import { FakeClock, SeededRandom } from "@terway/model/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { contains, NoNetwork, nextVSwitch } from "../pod/plan-enis.ts";
import { VSwitches } from "./v-switches.ts";

const lifeMs = 60_000;
const zone = "cn-a";
const known = new Map<string, VSwitch>();
let asked: string[];
let clock: FakeClock;
let vSwitches: VSwitches;

beforeEach(() => {
  asked = [];
  clock = new FakeClock();
  known.clear();
  for (const [id, availableIpv4, zoneId, cidr] of [
    ["few", 2, zone, "10.0.1.0/24"],
    ["many", 200, zone, "10.0.2.0/24"],
    ["far", 100, "cn-b", "10.0.3.0/24"],
  ] as const)
    known.set(id, { id, availableIpv4, zoneId, cidr, vpcId: "vpc-1" });
  const cloud = {
    describeVSwitches: async (ids: readonly string[]) => {
      asked.push(...ids);
      return ids.flatMap((id) => known.get(id) ?? []);
    },
  };
  vSwitches = new VSwitches({ cloud, clock, random: new SeededRandom(1), lifeMs, most: 10 });
});

const chosen = async (policy: "ordered" | "most") =>
  (await vSwitches.candidates(zone, ["few", "many", "far", "none"], policy)).map(({ id }) => id);

describe("candidates", () => {
  test("of the zone, in order or by what is left; each is asked about once", async () => {
    expect(await chosen("ordered")).toEqual(["few", "many"]);
    expect(await chosen("most")).toEqual(["many", "few"]);
    expect(asked.filter((id) => id === "few")).toHaveLength(1);
  });

  test("what was given out counts until the cloud is asked again, so that a burst does not overshoot", async () => {
    await chosen("ordered");
    vSwitches.took("few");
    vSwitches.took("few");
    expect(await chosen("ordered")).toEqual(["many"]);
    await clock.advance(lifeMs);
    expect(await chosen("ordered")).toEqual(["few", "many"]);
  });

  test("one that the cloud calls exhausted is left out until it is asked again", async () => {
    await chosen("ordered");
    vSwitches.exhausted("many");
    expect(await chosen("most")).toEqual(["few"]);
    await clock.advance(lifeMs);
    expect(await chosen("most")).toEqual(["many", "few"]);
  });
});

test("a given address decides the vSwitch; where none holds it, the message says what to do", async () => {
  const wanted = { ifName: "eth0", vSwitchIds: ["few", "many"], selection: "ordered" as const };
  expect(await nextVSwitch(vSwitches, { ...wanted, primaryIpv4: "10.0.2.9" }, zone)).toBe("many");
  await expect(nextVSwitch(vSwitches, { ...wanted, primaryIpv4: "10.0.9.9" }, zone)).rejects.toThrow(
    "whose CIDR holds 10.0.9.9; name another one",
  );
  await expect(nextVSwitch(vSwitches, wanted, "cn-z")).rejects.toBeInstanceOf(NoNetwork);
});

test.each([
  ["10.0.2.0/24", "10.0.2.255", true],
  ["10.0.2.0/24", "10.0.3.0", false],
  ["172.16.0.0/12", "172.31.255.1", true],
  ["10.0.3.0/29", "10.0.3.8", false],
])("%s holds %s: %s", (cidr, address, held) => {
  expect(contains(cidr, address)).toBe(held);
});
