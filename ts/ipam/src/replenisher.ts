import type { Random } from "@terway/model";
import { cloudErrorEntry } from "@terway/model";
import type { Backoffs } from "./backoff.ts";
import type { Executor } from "./executor.ts";
import { maxOperationsInFlight, maxReleasesInFlight } from "./executor.ts";
import type { Inventory } from "./inventory.ts";
import type { KnownEni, Operation } from "./journal/record.ts";
import { instanceTag } from "./observer.ts";
import { keys } from "./operation/context.ts";
import type { Plan, PlanAction, PlanInput } from "./plan/index.ts";
import { plan } from "./plan/index.ts";
import type { Problems } from "./problems.ts";
import type { Reclaim } from "./reclaim.ts";

/** Addresses in one cloud call, as Terway does (alicloud-api.md, 8.7). */
const batch = 10;

export interface ReplenisherContext {
  readonly random: Random;
  readonly inventory: Inventory;
  readonly executor: Executor;
  readonly reclaim: Reclaim;
  readonly backoffs: Backoffs;
  readonly problems: Problems;
  readonly identity: { readonly instanceId: string; readonly zoneId?: string };
  readonly availableIpv4: ReadonlyMap<string, number>;
}

/** For whom addresses are wanted. */
export interface Demand {
  readonly waiting: number;
  readonly minIdle: number;
  /** Who will ask soon: as much is kept beyond both bounds of the idle stock. */
  readonly ahead: number;
}

/** Turns the pool's state into the planner's input and its actions into operations. */
export class Replenisher {
  private readonly context: ReplenisherContext;

  constructor(context: ReplenisherContext) {
    this.context = context;
  }

  /** Plans, starts what may start now, and answers the plan. */
  run(demand: Demand): Plan {
    // Without the journal nothing may be begun.
    if (this.context.backoffs.isWaiting("journal")) return { actions: [], reach: 0, full: false };
    this.takeUpLoose();
    this.checkVSwitches();
    const made = plan(this.input(demand));
    for (const action of made.actions) this.begin(action);
    return made;
  }

  /** A configuration in which no ENI can ever be created is a problem of its own: no call is refused, so nothing else would tell. */
  private checkVSwitches(): void {
    const { identity, problems, inventory } = this.context;
    const ids = this.vSwitchIds();
    // Without a slot none is to be created, and before the bounds are known nothing can be said.
    if (inventory.config.maxEnis === 0 || ids.some((id) => this.isHere(id))) {
      problems.clear("zone");
      return;
    }
    const entry = cloudErrorEntry("NoVSwitchInZone");
    const resource = identity.zoneId ?? "of this instance";
    const configured = ids.length === 0 ? "none is configured" : `configured: ${ids.join(", ")}`;
    const message = `${entry?.what.replace("{resource}", resource)} (${configured}). ${entry?.next}`;
    problems.set("zone", { class: "invalid", code: "NoVSwitchInZone", message, resource });
  }

  /** Does it lie in the instance's zone, as far as is known? */
  private isHere(vSwitchId: string): boolean {
    const zoneId = this.context.inventory.ledger.vSwitches.get(vSwitchId)?.zoneId;
    return zoneId === undefined || this.context.identity.zoneId === undefined || zoneId === this.context.identity.zoneId;
  }

  private input({ waiting, minIdle, ahead }: Demand): PlanInput {
    const { inventory, backoffs, executor, availableIpv4, random, reclaim } = this.context;
    const { config } = inventory;
    const idle = inventory.free + inventory.restsMs().length;
    const maxIdle = reclaim.maxIdle(config.reclaim, { idle, minIdle: config.minIdle, maxIdle: config.maxIdle });
    return {
      enis: inventory.planEnis({
        mayGrow: (eni) => this.mayGrow(eni),
        mayShrink: () => !backoffs.isWaiting(keys.release),
      }),
      vSwitches: this.vSwitchIds().map((id) => {
        const count = availableIpv4.get(id);
        return {
          id,
          usable: this.isHere(id) && !backoffs.isWaiting(keys.vSwitch(id)),
          ...(count !== undefined && { availableIpv4: count }),
        };
      }),
      limits: { maxEnis: inventory.maxEnis, ipv4PerEni: inventory.perEni.ipv4, ipv6PerEni: inventory.perEni.ipv6, batch },
      // A round of the idle reclaim says itself how many go.
      policy: { ...config, minIdle, maxIdle, drainIdle: Math.min(maxIdle, config.drainIdle ?? maxIdle), warmUp: inventory.warmUpTarget },
      waiting,
      ahead,
      mayCreate: !backoffs.isWaiting(keys.create) && !backoffs.isWaiting(keys.attach),
      createSlots: Math.max(0, maxOperationsInFlight - executor.inFlight),
      chance: () => random.next(),
    };
  }

  private vSwitchIds(): readonly string[] {
    return [...new Set(this.context.inventory.config.vSwitchIds)];
  }

  private mayGrow(eni: KnownEni): boolean {
    const { backoffs } = this.context;
    if (eni.status === "Available") return !backoffs.isWaiting(keys.attach);
    return !backoffs.isWaiting(keys.grow(eni.id)) && !backoffs.isWaiting(keys.assign) && !backoffs.isWaiting(keys.vSwitch(eni.vSwitchId));
  }

  /** ENIs in the middle of a change that no operation of ours follows (an older process's, or somebody's hand): follow them to its end. */
  private takeUpLoose(): void {
    const { inventory, executor, random, backoffs } = this.context;
    for (const eni of inventory.ledger.enis.values()) {
      // An unassign that only waits to be seen follows nothing.
      if (inventory.operationsOn(eni.id).some(({ id }) => executor.isActive(id)) || executor.inFlight >= maxOperationsInFlight) continue;
      if (eni.status === "Attaching" || eni.status === "Creating") executor.start({ id: random.uuid(), kind: "attach", eniId: eni.id });
      const leaving = eni.status === "Detaching" || eni.status === "Deleting";
      if (leaving && inventory.isIdle(eni) && !backoffs.isWaiting(keys.release))
        executor.start({ id: random.uuid(), kind: "remove", eniId: eni.id });
    }
  }

  private begin(action: PlanAction): void {
    const { executor, inventory } = this.context;
    if (executor.inFlight >= maxOperationsInFlight) return;
    const releasing = action.kind === "unassign" || action.kind === "removeEni";
    if (releasing && executor.releasing >= maxReleasesInFlight) return;
    // The second action on an ENI comes with the next plan, when the first has ended.
    if ("eniId" in action && inventory.operationsOn(action.eniId).some((operation) => executor.isActive(operation.id))) return;
    executor.start(this.operationFor(action));
  }

  private operationFor(action: PlanAction): Operation {
    const { random, inventory, identity } = this.context;
    const { config } = inventory;
    const id = random.uuid();
    switch (action.kind) {
      case "createEni":
        return {
          id,
          kind: "create",
          clientToken: random.uuid(),
          vSwitchId: action.vSwitchId,
          securityGroupIds: [...config.securityGroupIds],
          secondaryIpv4Count: action.secondaryIpv4Count,
          ipv6Count: action.ipv6Count,
          tags: { ...config.eniTags, [instanceTag]: identity.instanceId },
          ...(config.resourceGroupId !== undefined && { resourceGroupId: config.resourceGroupId }),
        };
      case "attachEni":
        return { id, kind: "attach", eniId: action.eniId };
      case "assign":
        return { id, kind: "assign", eniId: action.eniId, family: action.family, count: action.count, clientToken: random.uuid() };
      case "unassign":
        return { id, kind: "unassign", eniId: action.eniId, family: action.family, addresses: [...action.addresses] };
      case "removeEni":
        return { id, kind: "remove", eniId: action.eniId };
    }
  }
}
