import type { AddressPool, AllocateFailure, Clock, Lease, PoolConfig, PoolProblem, PoolView, Random, Sandbox } from "@terway/model";
import type { Backoffs } from "./backoff.ts";
import type { Executor } from "./executor.ts";
import { maxOperationsInFlight } from "./executor.ts";
import type { Failpoint } from "./failpoint.ts";
import type { Allocation, Inventory } from "./inventory.ts";
import type { Journal } from "./journal/journal.ts";
import { JournalError } from "./journal/storage.ts";
import type { Observer } from "./observer.ts";
import type { Problems } from "./problems.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Replenisher } from "./replenisher.ts";
import { fullProblem } from "./replenisher.ts";
import { viewOf } from "./view.ts";
import type { Waiter } from "./waiters.ts";
import { Waiters } from "./waiters.ts";

/** Requests that arrive within this time share one plan, so that a hundred ADDs at once become batches and not a hundred calls. */
const gatherMs = 10;
/** After a restart, addresses that only the journal knows wait this long for the cloud's first answer, then they are given out without it. */
export const firstLookGraceMs = 1_000;

export interface PoolParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  readonly inventory: Inventory;
  readonly quarantine: Quarantine;
  readonly backoffs: Backoffs;
  readonly problems: Problems;
  readonly executor: Executor;
  readonly observer: Observer;
  readonly replenisher: Replenisher;
  readonly failpoint: (name: Failpoint) => Promise<void>;
  /** Addresses in use in the kernel, leases or not. */
  readonly occupied: (() => Promise<readonly string[]>) | undefined;
  /** Generations of this process begin above it. */
  readonly generationFloor: number;
  readonly onClose: () => void;
}

type Allocated = Awaited<ReturnType<AddressPool["allocate"]>>;
type PendingWaiter = Waiter<Allocation, AllocateFailure>;

/** See {@link AddressPool}. Wiring of the parts and the life of a lease; what to do is decided by the planner, done by the executor. */
export class Pool implements AddressPool {
  private readonly parts: PoolParts;
  private readonly waiters: Waiters<Allocation, AllocateFailure>;
  /** By lease id: the ADD under way, and the DEL under way. */
  private readonly allocating = new Map<string, Promise<Allocated>>();
  private readonly released = new Map<string, (() => void)[]>();
  private readonly warming = new Set<() => void>();
  private lookWaiters: (() => void)[] = [];
  private looking = false;
  private seen = false;
  private lookEnded = false;
  private failures = 0;
  private generation: number;
  private closed = false;
  private planDueMs: number | undefined;
  private readonly cancel: { plan?: () => void; wake?: () => void; look?: () => void } = {};
  private lastReach = 0;

  constructor(parts: PoolParts) {
    this.parts = parts;
    this.generation = Math.max(parts.journal.ledger.generation, parts.generationFloor);
    this.waiters = new Waiters(parts.clock, (waiter) => this.lateFailure(waiter));
  }

  /** Takes up what an older process began, once the cloud has answered, and starts to look. */
  run(): void {
    this.parts.clock.after(firstLookGraceMs, () => {
      if (this.seen || this.closed) return;
      this.parts.inventory.trustJournal = true;
      this.changed(0);
    });
    void this.look();
  }

  async allocate(sandbox: Sandbox, options: { deadlineMs: number; payload?: (lease: Lease) => unknown }): Promise<Allocated> {
    const id = leaseIdOf(sandbox);
    const deadlineMs = this.parts.clock.monotonicMs() + options.deadlineMs;
    for (;;) {
      if (this.closed) return { ok: false, failure: stopping };
      const lease = this.parts.journal.ledger.leases.get(id);
      if (lease && lease.state !== "releasing") return { ok: true, lease, existed: true };
      const under = this.allocating.get(id);
      if (under) {
        // The same ADD again while the first one runs: the same answer (I8). When that one gave up earlier than we would, it is our turn.
        const answer = await this.within(under, deadlineMs);
        if (answer?.ok) return { ...answer, existed: true };
        if (answer === undefined || answer.failure.reason !== "timeout" || this.isPast(deadlineMs)) return answer ?? this.late(id);
        continue;
      }
      if (lease) {
        // The address goes first: a lease on its way out is never given back its address.
        if (!(await this.within(this.releaseOf(id), deadlineMs))) return this.late(id);
        continue;
      }
      const flight = this.allocateNew(id, sandbox, deadlineMs, options.payload).finally(() => this.allocating.delete(id));
      this.allocating.set(id, flight);
      return flight;
    }
  }

  async bound(leaseId: string): Promise<void> {
    const lease = this.parts.journal.ledger.leases.get(leaseId);
    if (lease?.state !== "intent") return;
    await this.parts.journal.commit([{ t: "bound", id: leaseId, generation: lease.generation }]);
    await this.parts.failpoint("bound.journaled");
  }

  async beginRelease(leaseId: string): Promise<Lease | undefined> {
    // A DEL overtakes an ADD that still waits: the ADD fails, and there is nothing to release unless it has just got something.
    this.waiters.refuse(
      0,
      (waiter) => waiter.leaseId === leaseId,
      () => ({ reason: "timeout", message: `the sandbox ${leaseId} was deleted while it waited for an address` }),
    );
    await this.allocating.get(leaseId);
    const { ledger } = this.parts.journal;
    const lease = ledger.leases.get(leaseId);
    if (!lease) return undefined;
    if (lease.state !== "releasing") await this.parts.journal.commit([{ t: "releasing", id: leaseId, generation: lease.generation }]);
    await this.parts.failpoint("release.begun");
    return ledger.leases.get(leaseId);
  }

  async finishRelease(leaseId: string): Promise<void> {
    const lease = this.parts.journal.ledger.leases.get(leaseId);
    if (lease?.state !== "releasing") return;
    await this.parts.journal.commit([{ t: "released", id: leaseId, generation: lease.generation, rest: this.parts.quarantine.begin() }]);
    await this.parts.failpoint("release.finished");
    for (const wake of this.released.get(leaseId) ?? []) wake();
    this.released.delete(leaseId);
    this.changed(0);
  }

  lease(leaseId: string): Lease | undefined {
    return this.parts.journal.ledger.leases.get(leaseId);
  }

  leases(): readonly Lease[] {
    return [...this.parts.journal.ledger.leases.values()];
  }

  view(): PoolView {
    return viewOf(this.parts.inventory, this.waiters.length, this.parts.problems.all());
  }

  warm(signal?: AbortSignal): Promise<{ limited?: PoolProblem }> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const verdict = this.closed ? { limited: stoppingProblem(this.parts.clock.wallMs()) } : this.warmth();
        if (!verdict) return;
        this.warming.delete(check);
        signal?.removeEventListener("abort", abort);
        resolve(verdict);
      };
      const abort = () => {
        this.warming.delete(check);
        reject(signal?.reason);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      this.warming.add(check);
      this.changed(0);
    });
  }

  sync(): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.lookWaiters.push(resolve);
      if (!this.looking) void this.look();
    });
  }

  reconfigure(config: PoolConfig): void {
    this.parts.inventory.config = config;
    // What was refused may be allowed now: the next attempt tells.
    for (const key of this.parts.problems.keys()) this.parts.backoffs.retryNow(key);
    this.changed(0);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.parts.executor.stop();
    this.parts.onClose();
    for (const cancel of Object.values(this.cancel)) cancel?.();
    this.waiters.refuse(
      0,
      () => true,
      () => stopping,
    );
    for (const check of [...this.warming]) check();
    for (const wake of this.lookWaiters.splice(0)) wake();
    await this.parts.journal.close();
  }

  private async allocateNew(id: string, sandbox: Sandbox, deadlineMs: number, payload?: (lease: Lease) => unknown): Promise<Allocated> {
    const { inventory, journal, clock, problems } = this.parts;
    const taken = await this.allocation(id, deadlineMs);
    if (!taken.ok) return taken;
    const allocation = taken.value;
    await this.parts.failpoint("allocate.reserved");
    this.generation += 1;
    const bare: Lease = { id, generation: this.generation, state: "intent", sandbox, ...allocation, allocatedAtMs: clock.wallMs() };
    const extra = payload?.(bare);
    const lease: Lease = extra === undefined ? bare : { ...bare, payload: extra };
    try {
      await journal.commit([{ t: "lease", lease }]);
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      const problem = problems.set("journal", { class: "journal", code: error.code, message: error.message });
      return { ok: false, failure: { reason: "journal", message: error.message, problem } };
    } finally {
      inventory.unreserve(allocation);
      this.changed(gatherMs);
    }
    problems.clear("journal");
    await this.parts.failpoint("allocate.journaled");
    return { ok: true, lease, existed: false };
  }

  private async allocation(id: string, deadlineMs: number) {
    const warm = this.waiters.length === 0 ? this.parts.inventory.take() : undefined;
    if (warm) return { ok: true as const, value: warm };
    const place = this.waiters.join(id, deadlineMs);
    this.changed(gatherMs);
    return place;
  }

  /** Serves who waits, then plans, at the latest in `withinMs`. */
  private changed(withinMs: number): void {
    if (this.closed) return;
    this.waiters.serve(() => this.parts.inventory.take());
    const dueMs = this.parts.clock.monotonicMs() + withinMs;
    if (this.planDueMs !== undefined && this.planDueMs <= dueMs) return;
    this.cancel.plan?.();
    this.planDueMs = dueMs;
    this.cancel.plan = this.parts.clock.after(withinMs, () => {
      this.planDueMs = undefined;
      this.replan();
    });
  }

  /** For the executor and the observer: something is different. */
  readonly onChange = (): void => this.changed(0);

  private replan(): void {
    if (this.closed) return;
    this.waiters.serve(() => this.parts.inventory.take());
    // Nothing is begun in the cloud before it was seen once: slots may be taken that the journal does not know of (F34).
    if (this.seen) this.lastReach = this.parts.replenisher.run(this.waiters.length, this.targetIdle()).reach;
    this.refuseHopeless();
    for (const check of [...this.warming]) check();
    this.scheduleWake();
  }

  private targetIdle(): number {
    const { minIdle } = this.parts.inventory.config;
    return this.warming.size > 0 ? Math.max(1, minIdle) : minIdle;
  }

  /**
   * Nobody waits for what cannot come: an ADD fails with the refusal itself as soon as one is certain, and kubelet comes again later. It waits for
   * the cloud's answers, for its own deadline while calls are retried, and for addresses whose rest ends in time.
   */
  private refuseHopeless(): void {
    if (this.waiters.length === 0) return;
    const { executor, inventory, clock, problems } = this.parts;
    const { total, stalled } = executor.supplying;
    const closedGate = total > 0 && stalled.length === total && stalled.every((error) => error.class === "degraded");
    const blind = !this.seen && !this.isBlindForGood();
    if (blind) return;
    const reach = this.seen && !closedGate && !this.parts.backoffs.isWaiting("journal") ? this.lastReach : 0;
    const restsMs = inventory.restsMs();
    const nowMs = clock.monotonicMs();
    this.waiters.refuse(
      reach,
      (waiter) => !restsMs.some((restMs) => nowMs + restMs < waiter.deadlineMs),
      () => this.failureOf(problems.latest() ?? fullProblem(inventory, clock.wallMs())),
    );
  }

  /** The cloud cannot be seen, and that will not change before somebody does something. */
  private isBlindForGood(): boolean {
    const problem = this.parts.problems.get("observe");
    return this.lookEnded && problem !== undefined && ["denied", "invalid", "degraded", "gone"].includes(problem.class);
  }

  private failureOf(problem: PoolProblem): AllocateFailure {
    const reason =
      problem.class === "denied" || problem.class === "invalid" ? "denied" : problem.class === "journal" ? "journal" : "exhausted";
    return { reason, message: problem.message, problem };
  }

  private lateFailure(waiter: PendingWaiter): AllocateFailure {
    const problem = this.parts.problems.latest();
    const cause = problem ? `: ${problem.message}` : "; the cloud has not answered yet";
    const failure = { reason: "timeout" as const, message: `no address became free in time for ${waiter.leaseId}${cause}` };
    return problem ? { ...failure, problem } : failure;
  }

  private late(id: string): Allocated {
    return { ok: false, failure: { reason: "timeout", message: `an earlier call for ${id} had not ended in time` } };
  }

  /** Undefined: not warm yet. */
  private warmth(): { limited?: PoolProblem } | undefined {
    const { inventory, executor, problems, clock } = this.parts;
    const target = Math.max(1, inventory.config.minIdle, this.waiters.length);
    if (inventory.free >= target) return {};
    const problem = problems.latest();
    if (!this.seen) return this.lookEnded && problem ? { limited: problem } : undefined;
    const { total, stalled } = executor.supplying;
    if (total > 0 && stalled.length < total) return undefined;
    // Every call that could bring addresses has failed at least once and is being retried: kubelet shall not wait for it.
    if (total > 0) return { limited: problem ?? fullProblem(inventory, clock.wallMs()) };
    if (inventory.restsMs().length > 0 || executor.inFlight >= maxOperationsInFlight || inventory.suspects.size > 0) return undefined;
    return this.lastReach > 0 && !problem ? undefined : { limited: problem ?? fullProblem(inventory, clock.wallMs()) };
  }

  /** One timer for whatever ends by itself: rests and back-offs. */
  private scheduleWake(): void {
    const { clock, inventory, backoffs } = this.parts;
    const restMs = inventory.restsMs()[0];
    const backoffEndMs = backoffs.nextEndMs();
    const delaysMs = [restMs, backoffEndMs === undefined ? undefined : backoffEndMs - clock.monotonicMs()].filter((ms) => ms !== undefined);
    this.cancel.wake?.();
    if (delaysMs.length > 0) this.cancel.wake = clock.after(Math.max(1, Math.min(...delaysMs)), () => this.changed(0));
  }

  private async look(): Promise<void> {
    const { observer, inventory, executor, clock } = this.parts;
    this.looking = true;
    this.cancel.look?.();
    const served = this.lookWaiters.splice(0);
    try {
      await this.readOccupied();
      const answered = await observer.look();
      this.failures = answered ? 0 : this.failures + 1;
      if (answered && !this.seen) {
        await this.parts.failpoint("recover.observed");
        this.seen = true;
        for (const operation of [...inventory.running.values()]) if (!executor.isActive(operation.id)) executor.resume(operation);
      }
      if (!answered && !this.seen) {
        await observer.askMetadata();
        inventory.trustJournal = true;
      }
    } catch {
      // The pool closes: what was begun is left to its intents.
      if (this.closed) return;
      this.failures += 1;
    } finally {
      this.looking = false;
      this.lookEnded = true;
      for (const wake of served) wake();
    }
    if (this.closed) return;
    if (this.lookWaiters.length > 0) void this.look();
    else this.cancel.look = clock.after(observer.delayMs(this.failures, this.seen), () => void this.look());
    this.changed(0);
  }

  /** Addresses that were in use without a lease and are not any more begin to rest. */
  private async readOccupied(): Promise<void> {
    const { occupied, inventory, journal, quarantine } = this.parts;
    if (!occupied) return;
    const now = new Set((await occupied()).filter((address) => !journal.ledger.holders.has(address)));
    const freed = [...inventory.occupied].filter((address) => !now.has(address) && !journal.ledger.holders.has(address));
    if (freed.length > 0) await journal.commit([{ t: "rest", addresses: freed, rest: quarantine.begin() }]);
    inventory.occupied.clear();
    for (const address of now) inventory.occupied.add(address);
  }

  private releaseOf(id: string): Promise<true> {
    return new Promise((resolve) => {
      const list = this.released.get(id) ?? [];
      list.push(() => resolve(true));
      this.released.set(id, list);
    });
  }

  /** The promise's value, or undefined when the deadline passes first. */
  private within<T>(promise: Promise<T>, deadlineMs: number): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const cancel = this.parts.clock.after(deadlineMs - this.parts.clock.monotonicMs(), () => resolve(undefined));
      promise.then(resolve, reject).finally(cancel);
    });
  }

  private isPast(deadlineMs: number): boolean {
    return this.parts.clock.monotonicMs() >= deadlineMs;
  }
}

export function leaseIdOf(sandbox: Pick<Sandbox, "containerId" | "ifName">): string {
  return `${sandbox.containerId}/${sandbox.ifName}`;
}

const stopping: AllocateFailure = { reason: "stopping", message: "the daemon is stopping; the call is to be sent again" };

function stoppingProblem(sinceMs: number): PoolProblem {
  return { class: "transient", code: "Stopping", message: stopping.message, sinceMs };
}
