import type { AllocateFailure, Clock, PoolProblem } from "@terway/model";
import type { Backoffs } from "./backoff.ts";
import type { Executor } from "./executor.ts";
import { maxOperationsInFlight } from "./executor.ts";
import type { Inventory } from "./inventory.ts";
import type { Lookout } from "./lookout.ts";
import type { Plan } from "./plan/index.ts";
import type { Problems } from "./problems.ts";

export interface ProspectsParts {
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly backoffs: Backoffs;
  readonly problems: Problems;
  readonly executor: Executor;
  /** Absent: what comes is somebody else's doing, see `PoolParts`. */
  readonly replenisher: object | undefined;
}

/** One lost answer is no reason to call a node limited. */
const stuckAfterFailures = 3;

/**
 * Who may still hope. Nobody waits for what cannot come: an ADD fails with the refusal itself as soon as one is certain, and kubelet comes again
 * later. It does wait for the cloud's answers, for calls that are being retried, for addresses whose rest ends before its deadline, and for ENIs
 * that are being given back.
 */
export class Prospects {
  /** The last one made; none before the cloud was seen. */
  plan: Pick<Plan, "reach" | "full"> = { reach: 0, full: false };
  private readonly parts: ProspectsParts;
  private readonly lookout: Lookout;

  constructor(parts: ProspectsParts, lookout: Lookout) {
    this.parts = parts;
    this.lookout = lookout;
  }

  /** How many of those who wait may go on waiting for the cloud, from the front of the line. */
  get reachable(): number {
    if (!this.parts.replenisher) return Number.POSITIVE_INFINITY;
    if (!this.lookout.seen) return this.isBlindForGood ? 0 : Number.POSITIVE_INFINITY;
    const { total, stalled } = this.parts.executor.supplying;
    const isGateClosed = total > 0 && stalled.length === total && stalled.every(({ by }) => by.class === "degraded");
    return isGateClosed || this.parts.backoffs.isWaiting("journal") ? 0 : this.plan.reach;
  }

  /** Addresses that will have rested before the deadline. */
  restedBefore(deadlineMs: number): number {
    const leftMs = deadlineMs - this.parts.clock.monotonicMs();
    return this.parts.inventory.restsMs().filter((restMs) => restMs < leftMs).length;
  }

  refusal(): AllocateFailure {
    const problem = this.cause();
    const isForPeople = problem.class === "denied" || problem.class === "invalid";
    const reason = isForPeople ? "denied" : problem.class === "journal" ? "journal" : "exhausted";
    return { reason, message: problem.message, problem };
  }

  lateness(leaseId: string): AllocateFailure {
    const problem = this.parts.problems.latest();
    const cause = problem ? `: ${problem.message}` : "; the cloud has not answered yet";
    const failure = { reason: "timeout" as const, message: `no address became free in time for ${leaseId}${cause}` };
    return problem ? { ...failure, problem } : failure;
  }

  /** Undefined: not warm yet, and it may become so. */
  warmth(waiting: number): { limited?: PoolProblem } | undefined {
    const { inventory, executor, problems } = this.parts;
    if (inventory.free >= Math.max(1, inventory.config.minIdle, waiting)) return {};
    if (!this.lookout.seen) return this.lookout.ended && problems.latest() ? { limited: this.cause() } : undefined;
    // The slots are known. What they hold is made when a pod asks for it.
    if (!this.parts.replenisher) return {};
    if (inventory.exclusive) return inventory.free > 0 || this.plan.reach > 0 ? {} : { limited: this.cause() };
    const { total, stalled } = executor.supplying;
    const stuck = stalled.filter(({ failures }) => failures >= stuckAfterFailures).length;
    if (total > stuck) return undefined;
    // Every call that could bring addresses has failed again and again: kubelet shall not wait for it.
    if (total > 0) return { limited: this.cause() };
    if (inventory.restsMs().length > 0 || executor.inFlight >= maxOperationsInFlight || inventory.suspects.size > 0) return undefined;
    return this.plan.reach > 0 && !problems.latest() ? undefined : { limited: this.cause() };
  }

  /** The cloud cannot be seen, and that will not change before somebody does something. */
  private get isBlindForGood(): boolean {
    const problem = this.parts.problems.get("observe");
    return this.lookout.ended && problem !== undefined && ["denied", "invalid", "degraded", "gone"].includes(problem.class);
  }

  /** A refusal explains nothing where the node is simply full. */
  private cause(): PoolProblem {
    const refusal = this.plan.full ? this.parts.problems.get("journal") : this.parts.problems.latest();
    return refusal ?? fullProblem(this.parts.inventory, this.parts.clock.wallMs());
  }
}

/** The node's own limit, when no refusal explains why nothing comes. */
function fullProblem({ config, foreign, exclusive, maxEnis }: Inventory, sinceMs: number): PoolProblem {
  const slots = Math.max(0, maxEnis - foreign.length);
  const others = foreign.length > 0 ? `, ${foreign.length} more taken by ENIs that are not ours` : "";
  const perEni = config.ipv4 ? config.ipv4PerEni : config.ipv6PerEni;
  const limit = exclusive ? `${slots} ENIs, one for each pod${others}` : `${slots} ENIs with ${perEni} addresses each${others}`;
  const next = exclusive
    ? 'use a larger instance type, raise "max_eni" in eni_conf, or place fewer pods here'
    : 'use a larger instance type, raise "max_eni" or "max_pool_size" in eni_conf, or place fewer pods here';
  const what = exclusive ? "ENIs" : "addresses";
  return { class: "full", code: "NodeFull", message: `all ${what} of this node are in use: its limit is ${limit}; ${next}`, sinceMs };
}
