import fc from "fast-check";
import type { PlanAction, PlanAddress, PlanAddressState, PlanEni, PlanInput } from "../plan/index.ts";

/** Any input a node can have, with everything that the planner may meet: foreign ENIs, running operations, refusals, half pairs. */
export const planInputs: fc.Arbitrary<PlanInput> = fc
  .record({
    ipv6: fc.boolean(),
    exclusive: fc.boolean(),
    minIdle: fc.nat(12),
    maxIdle: fc.nat(12),
    warmUp: fc.oneof(fc.constant(0), fc.nat(30)),
    maxEnis: fc.integer({ min: 1, max: 5 }),
    ipv4PerEni: fc.integer({ min: 1, max: 14 }),
    ipv6PerEni: fc.integer({ min: 1, max: 14 }),
    vSwitchPolicy: fc.constantFrom("ordered" as const, "random" as const, "most" as const),
    eniPolicy: fc.constantFrom("most_ips" as const, "least_ips" as const),
    waiting: fc.oneof(fc.constant(0), fc.nat(40)),
    mayCreate: fc.boolean(),
    createSlots: fc.nat(5),
    chance: fc.float({ min: 0, max: Math.fround(0.99), noNaN: true }),
    vSwitches: fc.array(fc.record({ usable: fc.boolean(), availableIpv4: fc.option(fc.nat(300), { nil: undefined }) }), { maxLength: 3 }),
    enis: fc.array(
      fc.record({
        ours: fc.boolean(),
        phase: fc.constantFrom("inUse" as const, "inUse" as const, "coming" as const, "leaving" as const, "unattached" as const),
        vSwitch: fc.nat(3),
        ipv4: fc.array(fc.constantFrom<PlanAddressState>("free", "free", "used", "resting", "leaving", "withheld", "missing"), {
          minLength: 1,
          maxLength: 14,
        }),
        ipv6: fc.array(fc.constantFrom<PlanAddressState>("free", "free", "used", "resting"), { maxLength: 14 }),
        arriving: fc.constantFrom(0, 0, 0, 2),
        stale: fc.boolean(),
        busy: fc.boolean(),
        mayGrow: fc.boolean(),
        mayShrink: fc.boolean(),
      }),
      { maxLength: 5 },
    ),
  })
  // With whole ENIs each one has a place for one allocation, and those that have more are stale.
  .map(({ exclusive, ipv4PerEni, ipv6PerEni, ...input }) => ({
    ...input,
    ipv4PerEni: exclusive ? 1 : ipv4PerEni,
    ipv6PerEni: exclusive ? 1 : ipv6PerEni,
    enis: input.enis.map((eni) => ({ ...eni, stale: exclusive && eni.stale })),
  }))
  .map(
    ({ enis, vSwitches, chance, ipv6, minIdle, maxIdle, warmUp, vSwitchPolicy, eniPolicy, maxEnis, ipv4PerEni, ipv6PerEni, ...rest }) => ({
      ...rest,
      chance: () => chance,
      policy: { ipv4: true, ipv6, minIdle, maxIdle, warmUp, vSwitchPolicy, eniPolicy },
      limits: { maxEnis, ipv4PerEni, ipv6PerEni, batch: 10 },
      vSwitches: vSwitches.map(({ usable, availableIpv4 }, index) => ({
        id: `vsw-${index}`,
        usable,
        ...(availableIpv4 !== undefined && { availableIpv4 }),
      })),
      enis: enis.map((eni, index): PlanEni => {
        const address = (family: number) => (state: PlanAddressState, at: number) => placed(`${family}.${index}.${at}`, state, eni.phase);
        const ipv4 = eni.ipv4.slice(0, eni.stale ? undefined : ipv4PerEni).map(address(4));
        return {
          id: `eni-${index}`,
          ours: eni.ours,
          phase: eni.phase,
          vSwitchId: `vsw-${eni.vSwitch}`,
          primaryIpv4: `4.${index}.0`,
          ipv4,
          ipv6: ipv6 ? eni.ipv6.slice(0, ipv6PerEni).map(address(6)) : [],
          stale: eni.stale,
          arrivingIpv4: eni.busy ? Math.max(0, Math.min(eni.arriving, ipv4PerEni - ipv4.length)) : 0,
          arrivingIpv6: 0,
          busy: eni.busy,
          mayGrow: eni.mayGrow,
          mayShrink: eni.mayShrink,
        };
      }),
    }),
  );

/** Addresses follow their ENI: on one that is not attached nothing is used, on one that goes everything goes. */
function placed(address: string, state: PlanAddressState, phase: PlanEni["phase"]): PlanAddress {
  // A hand may take an ENI off the instance while pods use it.
  if (phase === "inUse" || (phase === "unattached" && (state === "used" || state === "resting"))) return { address, state };
  return { address, state: phase === "leaving" ? "leaving" : "arriving" };
}

/** The world after all running operations and these actions have ended well. */
export function carriedOut(input: PlanInput, actions: readonly PlanAction[]): PlanInput {
  let next = 0;
  const fresh = (eni: string, family: number) => ({ address: `${family}.${eni}.new${next++}`, state: "free" as const });
  const many = (count: number, eni: string, family: number) => Array.from({ length: count }, () => fresh(eni, family));
  const removed = new Set(actions.flatMap((action) => (action.kind === "removeEni" ? [action.eniId] : [])));
  const enis = input.enis
    .filter((eni) => !removed.has(eni.id) && !(eni.ours && eni.phase === "leaving"))
    .map((eni): PlanEni => {
      if (!eni.ours) return eni;
      const mine = actions.filter((action) => "eniId" in action && action.eniId === eni.id);
      const attached = eni.phase !== "unattached" || mine.some(({ kind }) => kind === "attachEni");
      const gone = new Set(mine.flatMap((action) => (action.kind === "unassign" ? action.addresses : [])));
      const settled = (list: readonly PlanAddress[]) =>
        list
          .filter(({ address, state }) => !gone.has(address) && state !== "leaving")
          .map((address) =>
            attached && address.state !== "used" && address.state !== "resting" ? { ...address, state: "free" as const } : address,
          );
      const gained = (family: "ipv4" | "ipv6") =>
        mine.reduce((sum, action) => sum + (action.kind === "assign" && action.family === family ? action.count : 0), 0);
      return {
        ...eni,
        phase: attached ? "inUse" : "unattached",
        ipv4: [...settled(eni.ipv4), ...many(gained("ipv4") + eni.arrivingIpv4, eni.id, 4)],
        ipv6: [...settled(eni.ipv6), ...many(gained("ipv6") + eni.arrivingIpv6, eni.id, 6)],
        arrivingIpv4: 0,
        arrivingIpv6: 0,
        busy: false,
      };
    });
  for (const action of actions) {
    if (action.kind !== "createEni") continue;
    const id = `eni-new-${enis.length}-${input.enis.length}-${next++}`;
    const ipv4 = many(1 + action.secondaryIpv4Count, id, 4);
    enis.push({
      id,
      ours: true,
      phase: "inUse",
      vSwitchId: action.vSwitchId,
      primaryIpv4: ipv4[0]?.address ?? "",
      stale: false,
      ipv4,
      ipv6: many(action.ipv6Count, id, 6),
      arrivingIpv4: 0,
      arrivingIpv6: 0,
      busy: false,
      mayGrow: true,
      mayShrink: true,
    });
  }
  return { ...input, enis };
}
