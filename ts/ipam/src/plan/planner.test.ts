import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { carriedOut, planInputs } from "../testing/plan-world.ts";
import {
  addressesIn,
  allocated,
  allocationsPerEni,
  firmSupply,
  idle,
  idleCeiling,
  leastOf,
  perEniLimit,
  supply,
  taken,
  wantedFamilies,
} from "./count.ts";
import type { PlanAction, PlanAddressState, PlanEni, PlanInput } from "./model.ts";
import { plan } from "./planner.ts";

/** TERWAY_PLANS: how many inputs for each property. A failure prints its seed and path. */
const runs = { numRuns: Number(process.env.TERWAY_PLANS ?? 3_000) };

function eniOf(input: PlanInput, action: PlanAction): PlanEni | undefined {
  return "eniId" in action ? input.enis.find(({ id }) => id === action.eniId) : undefined;
}

function allocations(input: PlanInput): number {
  return input.enis.reduce((sum, eni) => sum + leastOf(wantedFamilies(input.policy), (family) => supply(eni, family)), 0);
}

function resting(input: PlanInput): number {
  return (
    input.enis.reduce((sum, eni) => sum + leastOf(wantedFamilies(input.policy), (family) => idle(eni, family)), 0) - allocations(input)
  );
}

/** The plan is followed until nothing is left to do. */
function calm(input: PlanInput): { world: PlanInput; rounds: number } {
  let world: PlanInput = { ...input, createSlots: 5 };
  for (let rounds = 0; rounds < 60; rounds += 1) {
    const { actions } = plan(world);
    if (actions.length === 0 && rounds > 0) return { world, rounds };
    world = carriedOut(world, actions);
  }
  throw new Error(`no rest after 60 rounds: ${JSON.stringify(plan(world).actions)}`);
}

describe("planner", () => {
  it("I3, I9: takes away only free addresses of our own attached ENIs, never a primary one", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        for (const action of plan(input).actions) {
          if (action.kind !== "unassign") continue;
          const eni = eniOf(input, action);
          expect(eni).toMatchObject({ ours: true, phase: "inUse", busy: false, mayShrink: true });
          const free = eni ? addressesIn(eni, action.family).filter(({ state }) => state === "free") : [];
          expect(free.map(({ address }) => address)).toEqual(expect.arrayContaining([...action.addresses]));
          expect(action.addresses).not.toContain(eni?.primaryIpv4);
          expect(new Set(action.addresses).size).toBe(action.addresses.length);
          expect(action.addresses.length).toBeLessThanOrEqual(input.limits.batch);
        }
      }),
      runs,
    );
  });

  it("fills up with the same calls and never begins one to fill up", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        const refilled = { ...input, policy: { ...input.policy, refillIdle: Math.max(input.policy.minIdle, input.policy.maxIdle) } };
        const shape = (actions: readonly PlanAction[]) =>
          actions.map((action) => ({ ...action, count: undefined, secondaryIpv4Count: undefined, ipv6Count: undefined }));
        const [plain, filled] = [plan(input).actions, plan(refilled).actions];
        if (input.policy.ipv6) expect(filled.length).toBeGreaterThanOrEqual(plain.length);
        else expect(shape(filled)).toEqual(shape(plain));
        // With two families an ENI may hold addresses that lack a partner, and what goes depends on what came; that this ends is a property below.
        if (wantedFamilies(input.policy).length > 1) return;
        // What is filled up is not given back again: no more goes than would have gone without it.
        const givenBack = (world: PlanInput, of: string) =>
          plan(world).actions.flatMap((action) => (action.kind === "unassign" && action.family === of ? action.addresses : [])).length;
        for (const family of wantedFamilies(input.policy))
          expect(givenBack(carriedOut(refilled, filled), family)).toBeLessThanOrEqual(givenBack(carriedOut(input, plain), family));
      }),
      runs,
    );
  });

  it("I4: removes only our own ENIs on which every address is free, or that are not attached", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        for (const action of plan(input).actions) {
          if (action.kind !== "removeEni") continue;
          const eni = eniOf(input, action);
          expect(eni).toMatchObject({ ours: true, mayShrink: true });
          if (eni?.phase === "unattached") {
            expect([...eni.ipv4, ...eni.ipv6].some(({ state }) => state === "used" || state === "resting")).toBe(false);
            continue;
          }
          expect(eni).toMatchObject({ phase: "inUse", busy: false });
          expect([...(eni?.ipv4 ?? []), ...(eni?.ipv6 ?? [])].every(({ state }) => state === "free")).toBe(true);
        }
      }),
      runs,
    );
  });

  it("stays within the limits of ENIs, addresses, calls and refusals", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        const { actions } = plan(input);
        const created = actions.filter(({ kind }) => kind === "createEni").length;
        if (created > 0) {
          expect(input.enis.length + created).toBeLessThanOrEqual(input.limits.maxEnis);
          expect(created).toBeLessThanOrEqual(input.createSlots);
          expect(input.mayCreate).toBe(true);
        }
        const attached = input.enis.filter(({ phase }) => phase !== "unattached").length;
        const attaching = actions.filter(({ kind }) => kind === "attachEni").length;
        if (attaching > 0) expect(attached + attaching).toBeLessThanOrEqual(input.limits.maxEnis);
        for (const action of actions) {
          const eni = eniOf(input, action);
          if (eni) expect(eni.ours).toBe(true);
          if (action.kind === "createEni") {
            expect(input.vSwitches.find(({ id }) => id === action.vSwitchId)?.usable).toBe(true);
            expect(1 + action.secondaryIpv4Count).toBeLessThanOrEqual(Math.min(input.limits.batch, input.limits.ipv4PerEni));
            expect(action.ipv6Count).toBeLessThanOrEqual(Math.min(input.limits.batch, input.limits.ipv6PerEni));
          }
          if (action.kind !== "assign" || !eni) continue;
          expect(eni).toMatchObject({ phase: "inUse", busy: false, mayGrow: true });
          expect(input.vSwitches.find(({ id }) => id === eni.vSwitchId)?.usable).not.toBe(false);
          expect(action.count).toBeGreaterThan(0);
          expect(action.count).toBeLessThanOrEqual(input.limits.batch);
          expect(taken(eni, action.family) + action.count).toBeLessThanOrEqual(perEniLimit(input, action.family));
        }
      }),
      runs,
    );
  });

  it("asks for no more than is wanted, and for each ENI and family once", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        const { actions } = plan(input);
        const keys = actions.map((action) =>
          "family" in action ? `${action.kind} ${action.eniId} ${action.family}` : JSON.stringify(action),
        );
        expect(new Set(keys.filter((key) => !key.includes("createEni"))).size).toBe(
          keys.filter((key) => !key.includes("createEni")).length,
        );
        if (!actions.some(({ kind }) => kind === "assign" || kind === "createEni")) return;
        const after = allocations(carriedOut(input, actions)) - allocations(carriedOut(input, []));
        const firm = input.enis.reduce((sum, eni) => sum + leastOf(wantedFamilies(input.policy), (family) => firmSupply(eni, family)), 0);
        const cold = input.policy.warmUp - allocated(input);
        const wanted = Math.max(0, input.waiting + input.policy.minIdle - allocations(input), input.waiting - firm, cold);
        // Attaching brings what the ENI has, wanted or not.
        if (!actions.some(({ kind }) => kind === "attachEni")) expect(after).toBeLessThanOrEqual(wanted);
      }),
      runs,
    );
  });

  it("I10: releases nothing below the bounds, and nothing while anybody waits", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        const { actions } = plan(input);
        const isRelease = (action: PlanAction) =>
          action.kind === "unassign" || (action.kind === "removeEni" && eniOf(input, action)?.phase === "inUse");
        // What is replaced is no stock.
        const releases = actions.filter((action) => isRelease(action) && eniOf(input, action)?.stale === false);
        if (releases.length === 0) return;
        expect(input.waiting).toBe(0);
        const ceiling = idleCeiling(input);
        const settled = carriedOut(input, releases);
        expect(allocations(settled) + resting(settled)).toBeGreaterThanOrEqual(Math.min(ceiling, allocations(input) + resting(input)));
      }),
      runs,
    );
  });

  it("gives a stale ENI nothing more, and replaces it as soon as nobody uses it, also while others wait", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        const { actions } = plan(input);
        for (const action of actions) if (eniOf(input, action)?.stale) expect(action.kind).toBe("removeEni");
        for (const eni of calm(input).world.enis) {
          const held = [...eni.ipv4, ...eni.ipv6].some(({ state }) => state === "used" || state === "resting");
          if (eni.ours && eni.stale && eni.mayShrink) expect(held).toBe(true);
        }
      }),
      runs,
    );
  });

  it("comes to rest, with everybody served who can be and the idle stock within its bounds (I10, I16)", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        const { world } = calm(input);
        const { policy, limits } = world;
        const stock = allocations(world);
        const perEni = allocationsPerEni(world);
        const canCreate =
          world.mayCreate && world.vSwitches.some(({ usable }) => usable) && world.enis.length < limits.maxEnis && perEni > 0;
        const topUp = Math.min(policy.minIdle, Math.max(0, idleCeiling(world) - resting(world)));
        if (canCreate) expect(stock).toBeGreaterThanOrEqual(world.waiting + topUp);
        if (canCreate) expect(allocated(world)).toBeGreaterThanOrEqual(policy.warmUp);
        if (world.waiting > 0) return;
        // What cannot go: primary addresses of ENIs in use, and whatever may not be touched now.
        const stuck = world.enis
          .filter((eni) => eni.ours && (!eni.mayShrink || eni.phase !== "inUse"))
          .reduce((sum, eni) => sum + supply(eni, "ipv4"), 0);
        const primaries = world.enis.filter((eni) => eni.ours && eni.phase === "inUse").length;
        expect(stock + resting(world)).toBeLessThanOrEqual(idleCeiling(world) + resting(world) + stuck + primaries);
      }),
      runs,
    );
  });

  it("is a function: the same input gives the same plan, and the input is left as it was", () => {
    fc.assert(
      fc.property(planInputs, (input) => {
        const before = structuredClone({ ...input, chance: undefined });
        expect(plan(input)).toEqual(plan(input));
        expect({ ...input, chance: undefined }).toEqual(before);
      }),
      runs,
    );
  });
});

describe("giving back", () => {
  /** Each ENI as its addresses' states, the primary one first. */
  const world = (enis: Readonly<Record<string, readonly PlanAddressState[]>>, policy: Partial<PlanInput["policy"]> = {}): PlanInput => ({
    enis: Object.entries(enis).map(([id, states]) => ({
      ...{ id, ours: true, phase: "inUse", vSwitchId: "vsw-a", stale: false, primaryIpv4: `${id}.0`, ipv6: [] },
      ipv4: states.map((state, at) => ({ address: `${id}.${at}`, state })),
      ...{ arrivingIpv4: 0, arrivingIpv6: 0, busy: false, mayGrow: true, mayShrink: true },
    })),
    vSwitches: [{ id: "vsw-a", usable: true }],
    limits: { maxEnis: 3, ipv4PerEni: 20, ipv6PerEni: 20, batch: 10 },
    policy: {
      ...{ ipv4: true, ipv6: false, minIdle: 2, maxIdle: 6, drainIdle: 4, warmUp: 0, vSwitchPolicy: "ordered", eniPolicy: "most_ips" },
      ...policy,
    },
    waiting: 0,
    mayCreate: true,
    createSlots: 5,
    chance: () => 0,
  });
  const many = (count: number, state: PlanAddressState): PlanAddressState[] => Array.from({ length: count }, () => state);
  const given = (input: PlanInput) =>
    plan(input).actions.flatMap((action) => (action.kind === "unassign" ? [`${action.eniId} ${action.addresses.length}`] : [action.kind]));

  it("leaves the stock alone up to the most, and then goes down to the target in one call", () => {
    expect(given(world({ a: ["used", ...many(6, "free")] }))).toEqual([]);
    expect(given(world({ a: ["used", ...many(7, "free")] }))).toEqual(["a 3"]);
    expect(given(world({ a: ["used", ...many(7, "free")] }, { drainIdle: 0 }))).toEqual(["a 5"]);
  });

  it("takes from one ENI what one has, and from several what none has alone", () => {
    expect(given(world({ a: ["used", ...many(2, "free")], b: [...many(2, "used"), ...many(5, "free")] }))).toEqual(["b 3"]);
    expect(
      given(world({ a: ["used", ...many(2, "free")], b: ["used", "free"], c: ["used", ...many(4, "free")] }, { drainIdle: 2 })),
    ).toEqual(["b 1", "a 2", "c 2"]);
  });

  it("waits for what rests: pods that come meanwhile make the call needless", () => {
    expect(given(world({ a: ["used", ...many(6, "free"), ...many(3, "resting")] }))).toEqual([]);
    expect(given(world({ a: ["used", ...many(9, "free")] }))).toEqual(["a 5"]);
  });

  it("does not go below what would be filled up again", () => {
    expect(given(world({ a: ["used", ...many(7, "free")] }, { drainIdle: 2, refillIdle: 5 }))).toEqual(["a 2"]);
  });
});

describe("choice of the vSwitch", () => {
  const base: PlanInput = {
    enis: [],
    vSwitches: [
      { id: "vsw-a", usable: true, availableIpv4: 5 },
      { id: "vsw-b", usable: false, availableIpv4: 500 },
      { id: "vsw-c", usable: true, availableIpv4: 50 },
    ],
    limits: { maxEnis: 3, ipv4PerEni: 10, ipv6PerEni: 10, batch: 10 },
    policy: { ipv4: true, ipv6: false, minIdle: 1, maxIdle: 5, warmUp: 0, vSwitchPolicy: "ordered", eniPolicy: "most_ips" },
    waiting: 0,
    mayCreate: true,
    createSlots: 5,
    chance: () => 0.99,
  };
  it.each([
    ["ordered", "vsw-a"],
    ["most", "vsw-c"],
    ["random", "vsw-c"],
  ] as const)("%s takes %s", (vSwitchPolicy, vSwitchId) => {
    expect(plan({ ...base, policy: { ...base.policy, vSwitchPolicy } }).actions).toEqual([
      { kind: "createEni", vSwitchId, secondaryIpv4Count: 0, ipv6Count: 0 },
    ]);
  });

  it("random is even", () => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < 100; i += 1) {
      const [action] = plan({ ...base, policy: { ...base.policy, vSwitchPolicy: "random" }, chance: () => i / 100 }).actions;
      if (action?.kind === "createEni") counts[action.vSwitchId] = (counts[action.vSwitchId] ?? 0) + 1;
    }
    expect(counts).toEqual({ "vsw-a": 50, "vsw-c": 50 });
  });
});
