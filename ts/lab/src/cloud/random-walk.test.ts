import fc from "fast-check";
import { expect, it } from "vitest";
import { freeCount } from "./address-choice.ts";
import { checkInvariants } from "./invariants.ts";
import { isReserved, knownCidr } from "./ip.ts";
import type { EniStatus } from "./records.ts";
import { seededRandom } from "./seeded-random.ts";
import type { CloudState } from "./state.ts";
import { type Command, newWorld, step, type World } from "./step.ts";

/** A deed of the walk: what to do, and three numbers that choose with what. */
interface Deed {
  readonly kind: (typeof kinds)[number];
  readonly a: number;
  readonly b: number;
}
const kinds = [
  "create",
  "attach",
  "attach",
  "member",
  "detach",
  "delete",
  "assign4",
  "assign6",
  "prefix",
  "unassign",
  "unassign",
  "wait",
  "vanish",
] as const;

const deeds = fc.array(fc.record({ kind: fc.constantFrom(...kinds), a: fc.nat(1000), b: fc.nat(1000) }), {
  minLength: 60,
  maxLength: 150,
  size: "max",
});

/** The states from which a deed can succeed; mostly an ENI in one of them is chosen, sometimes any. */
const fitting: Partial<Record<Deed["kind"], readonly EniStatus[]>> = {
  attach: ["Available"],
  member: ["Available"],
  detach: ["InUse"],
  delete: ["Available"],
  assign4: ["InUse"],
  assign6: ["InUse"],
  prefix: ["InUse"],
  unassign: ["InUse"],
};

function build(): World {
  const world = newWorld();
  const random = seededRandom(99);
  const admin = (name: "createVpc" | "createVSwitch" | "createSecurityGroup" | "createInstance" | "setSettings", input: unknown) =>
    step(world, { type: "admin", name, input }, 0, random);
  admin("setSettings", { delays: "fast", maxEnis: 30 });
  admin("createVpc", { id: "vpc", cidr: "10.0.0.0/16", ipv6Cidr: "2408:1:2:300::/56" });
  admin("createVSwitch", { id: "vsw-big", vpcId: "vpc", cidr: "10.0.0.0/25", ipv6Cidr: "2408:1:2:301::/64" });
  admin("createVSwitch", { id: "vsw-tiny", vpcId: "vpc", cidr: "10.0.1.0/28" });
  admin("createSecurityGroup", { id: "sg", vpcId: "vpc", capacity: 150 });
  for (const [id, type] of [
    ["i-1", "ecs.g7.xlarge"],
    ["i-2", "ecs.g6.large"],
    ["i-3", "ecs.t1.xsmall"],
  ]) {
    admin("createInstance", { id, type, vSwitchId: "vsw-big", securityGroupIds: ["sg"] });
  }
  return world;
}

function at<T>(list: readonly T[], index: number): T | undefined {
  return list[index % Math.max(1, list.length)];
}

function commandOf(state: CloudState, { kind, a, b }: Deed): Command | undefined {
  const all = [...state.enis.values()];
  const fit = all.filter((one) => fitting[kind]?.includes(one.status) && one.type !== "Primary");
  const eni = at(fit.length > 0 && b % 5 !== 0 ? fit : all, a);
  const instance = at([...state.instances.keys()], b) ?? "";
  const trusted = (action: string, parameters: Record<string, string>): Command => ({ type: "trusted", action, parameters });
  if (kind === "create") {
    const VSwitchId = a % 2 === 0 ? "vsw-big" : "vsw-tiny";
    const InstanceType = b % 7 === 0 ? "Trunk" : "Secondary";
    return trusted("CreateNetworkInterface", {
      VSwitchId,
      SecurityGroupId: "sg",
      InstanceType,
      SecondaryPrivateIpAddressCount: String(b % 12),
    });
  }
  if (eni === undefined) return undefined;
  const NetworkInterfaceId = eni.id;
  switch (kind) {
    case "attach":
      return trusted("AttachNetworkInterface", { NetworkInterfaceId, InstanceId: instance });
    case "member": {
      const trunk = [...state.enis.values()].find((one) => one.type === "Trunk" && one.status === "InUse");
      return trunk?.instanceId === undefined
        ? undefined
        : trusted("AttachNetworkInterface", { NetworkInterfaceId, InstanceId: trunk.instanceId, TrunkNetworkInstanceId: trunk.id });
    }
    case "detach":
      return trusted("DetachNetworkInterface", { NetworkInterfaceId, InstanceId: eni.instanceId ?? instance });
    case "delete":
      return trusted("DeleteNetworkInterface", { NetworkInterfaceId });
    case "assign4":
      return trusted("AssignPrivateIpAddresses", { NetworkInterfaceId, SecondaryPrivateIpAddressCount: String(1 + (b % 10)) });
    case "assign6":
      return trusted("AssignIpv6Addresses", { NetworkInterfaceId, Ipv6AddressCount: String(1 + (b % 10)) });
    case "prefix":
      return trusted("AssignPrivateIpAddresses", { NetworkInterfaceId, Ipv4PrefixCount: String(1 + (b % 2)) });
    case "unassign":
      return trusted("UnassignPrivateIpAddresses", { NetworkInterfaceId, "PrivateIpAddress.1": at(eni.ipv4, b) ?? "" });
    case "vanish":
      return eni.type === "Primary" || b % 5 !== 0 ? undefined : { type: "admin", name: "vanishEni", input: { id: eni.id } };
    default:
      return undefined;
  }
}

/** Plays the deeds, with an instant fabric and calls that are sometimes left unanswered for a while. */
function walk(list: readonly Deed[], after: (world: World) => void): World {
  const world = build();
  const random = seededRandom(3);
  let nowMs = 1000;
  let unanswered: Command[] = [];
  const take = (command: Command) => {
    const result = step(world, command, nowMs, random);
    for (const effect of result.effects) {
      if (effect.type === "plug") take({ type: "fabric-done", eniId: effect.eni.eniId, kind: "attach" });
      if (effect.type === "unplug") take({ type: "fabric-done", eniId: effect.eniId, kind: "detach" });
    }
    if (result.call !== undefined) unanswered.push({ type: "answered", busyEniIds: result.call.busyEniIds });
    after(world);
  };
  for (const deed of list) {
    nowMs += deed.kind === "wait" ? 200 : deed.a % 20;
    const command = deed.kind === "wait" ? ({ type: "tick" } as const) : commandOf(world.state, deed);
    if (command !== undefined) take(command);
    if (deed.b % 3 !== 0) continue;
    const answers = unanswered;
    unanswered = [];
    for (const answer of answers) take(answer);
  }
  return world;
}

it("never has an address on two ENIs, a reserved or a foreign one, or more than the quotas allow", () => {
  const succeeded: string[] = [];
  fc.assert(
    fc.property(deeds, (list) => {
      const world = walk(list, ({ state }) => {
        expect(checkInvariants(state)).toEqual([]);
        for (const vSwitch of state.vSwitches.values()) {
          const cidr = knownCidr(vSwitch.cidr);
          // Free, taken and reserved make the whole, counted one by one.
          let free = 0n;
          for (let value = cidr.base; value < cidr.base + cidr.size; value++) {
            if (!isReserved(cidr, value) && state.addresses.holder(vSwitch.id, "ipv4", value) === undefined) free++;
          }
          expect(freeCount(state, vSwitch, "ipv4")).toBe(free);
        }
      });
      for (const { action, status, result } of world.history.entries()) if (status === 200 || result === "InUse") succeeded.push(action);
    }),
    { numRuns: 40 },
  );
  // A walk in which everything is refused would prove nothing.
  expect(succeeded.length).toBeGreaterThan(600);
  expect(new Set(succeeded)).toEqual(
    new Set([
      "AssignIpv6Addresses",
      "AssignPrivateIpAddresses",
      "AttachNetworkInterface",
      "CreateNetworkInterface",
      "DeleteNetworkInterface",
      "DetachNetworkInterface",
      "UnassignPrivateIpAddresses",
      "attach",
    ]),
  );
});

it("is the same for the same seed and commands", () => {
  fc.assert(
    fc.property(deeds, (list) => {
      const one = walk(list, () => undefined);
      const two = walk(list, () => undefined);
      expect(two.history.entries()).toEqual(one.history.entries());
      expect(two.state.toJSON()).toEqual(one.state.toJSON());
    }),
    { numRuns: 20 },
  );
});
