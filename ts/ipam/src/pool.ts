import type {
  AddressPool,
  AllocateFailure,
  AllocateOptions,
  ExactAddresses,
  Lease,
  PoolConfig,
  PoolProblem,
  PoolView,
  Random,
  Sandbox,
} from "@terway/model";
import type { Allocation } from "./inventory.ts";
import { JournalError } from "./journal/storage.ts";
import type { LookoutParts } from "./lookout.ts";
import { firstLookGraceMs, Lookout } from "./lookout.ts";
import type { ProspectsParts } from "./prospects.ts";
import { Prospects } from "./prospects.ts";
import type { Reclaim } from "./reclaim.ts";
import type { Replenisher } from "./replenisher.ts";
import { viewOf } from "./view.ts";
import { Waiters } from "./waiters.ts";

/** Pods are bound in bursts, and none asks sooner than a sandbox can be made: what they need becomes few calls. */
const gatherPodsMs = 200;
/** Requests that arrive within this time share one plan, so that a hundred ADDs at once become batches and not a hundred calls. */
const gatherMs = 10;

export interface PoolParts extends LookoutParts, ProspectsParts {
  readonly random: Random;
  /** Absent: ENIs and addresses come and go by somebody else's hand, and this pool begins nothing in the cloud. */
  readonly replenisher: Replenisher | undefined;
  readonly reclaim: Reclaim;
  /** Generations of this process begin above it. */
  readonly generationFloor: number;
  readonly onClose: () => void;
}

type Allocated = Awaited<ReturnType<AddressPool["allocate"]>>;

/** See {@link AddressPool}. The life of a lease, and the beat of serving, planning, and refusing. */
export class Pool implements AddressPool {
  private readonly parts: PoolParts;
  private readonly lookout: Lookout;
  private readonly prospects: Prospects;
  private readonly waiters: Waiters<Allocation, AllocateFailure>;
  /** The ADD under way, by lease id. */
  private readonly allocating = new Map<string, Promise<Allocated>>();
  /** What those who stand apart want, by lease id. */
  private readonly exact = new Map<string, () => ExactAddresses | undefined>();
  /** Who waits for the DEL under way, by lease id. */
  private readonly releasing = new Map<string, (() => void)[]>();
  private readonly warming = new Set<() => void>();
  private expected: ReadonlySet<string> = new Set();
  private generation: number;
  private closed = false;
  private warmUpEnding = false;
  private planDueMs: number | undefined;
  private cancelPlan: (() => void) | undefined;
  private cancelWake: (() => void) | undefined;

  constructor(parts: PoolParts) {
    this.parts = parts;
    this.lookout = new Lookout(parts, this.onChange);
    this.prospects = new Prospects(parts, this.lookout);
    this.waiters = new Waiters(parts.clock, (waiter) => this.prospects.lateness(waiter.leaseId));
    this.generation = Math.max(parts.journal.ledger.generation, parts.generationFloor);
  }

  run(): void {
    this.lookout.start();
  }

  async allocate(sandbox: Sandbox, options: AllocateOptions): Promise<Allocated> {
    const id = leaseIdOf(sandbox);
    const deadlineMs = this.parts.clock.monotonicMs() + options.deadlineMs;
    for (;;) {
      if (this.closed) return { ok: false, failure: stopping };
      const lease = this.lease(id);
      if (lease && lease.state !== "releasing") return { ok: true, lease, existed: true };
      const underWay = this.allocating.get(id);
      if (underWay) {
        // The same ADD again while the first one runs: the same answer (I8). When that one gave up earlier than we would, it is our turn.
        const answer = await this.within(underWay, deadlineMs);
        if (answer?.ok) return { ...answer, existed: true };
        const isOver = this.parts.clock.monotonicMs() >= deadlineMs;
        if (answer && (answer.failure.reason !== "timeout" || isOver)) return answer;
        if (!answer) return tooLate(id);
      } else if (lease) {
        // A lease on its way out is never given back its address: the old one goes first.
        if (!(await this.within(this.releaseOf(id), deadlineMs))) return tooLate(id);
      } else {
        const flight = this.allocateNew(id, sandbox, deadlineMs, options).finally(() => this.allocating.delete(id));
        this.allocating.set(id, flight);
        return flight;
      }
    }
  }

  async bound(leaseId: string): Promise<void> {
    const lease = this.lease(leaseId);
    if (lease?.state !== "intent") return;
    await this.parts.journal.commitSoon([{ t: "bound", id: leaseId, generation: lease.generation }]);
    await this.parts.failpoint("bound.journaled");
  }

  async beginRelease(leaseId: string): Promise<Lease | undefined> {
    // A DEL overtakes an ADD that still waits: the ADD fails, and there is nothing to release unless it has just got something.
    const overtaken = { reason: "timeout" as const, message: `the sandbox ${leaseId} was deleted while it waited for an address` };
    this.waiters.refuse(
      (waiter) => waiter.leaseId === leaseId,
      () => overtaken,
    );
    await this.allocating.get(leaseId);
    const lease = this.lease(leaseId);
    if (!lease) return undefined;
    if (lease.state !== "releasing") await this.parts.journal.commit([{ t: "releasing", id: leaseId, generation: lease.generation }]);
    await this.parts.failpoint("release.begun");
    return this.lease(leaseId);
  }

  async finishRelease(leaseId: string): Promise<void> {
    const lease = this.lease(leaseId);
    if (lease?.state !== "releasing") return;
    const keptFor = lease.keepMs === undefined ? undefined : { pod: podOf(lease.sandbox), ms: lease.keepMs };
    await this.parts.journal.commitSoon([
      { t: "released", id: leaseId, generation: lease.generation, rest: this.parts.quarantine.begin(keptFor) },
    ]);
    await this.parts.failpoint("release.finished");
    this.parts.reclaim.changed();
    for (const wake of this.releasing.get(leaseId) ?? []) wake();
    this.releasing.delete(leaseId);
    this.changed(gatherMs);
  }

  lease(leaseId: string): Lease | undefined {
    return this.parts.journal.ledger.leases.get(leaseId);
  }

  leases(): readonly Lease[] {
    return [...this.parts.journal.ledger.leases.values()];
  }

  securityGroups(eniId: string): readonly string[] | undefined {
    return this.parts.inventory.securityGroups.get(eniId);
  }

  view(): PoolView {
    return viewOf(this.parts.inventory, this.waiters.length, this.parts.problems.all());
  }

  expect(pods: ReadonlySet<string>): void {
    this.expected = pods;
    this.changed(gatherPodsMs);
  }

  warm(signal?: AbortSignal): Promise<{ limited?: PoolProblem }> {
    return new Promise((resolve, reject) => {
      const done = () => {
        this.warming.delete(check);
        signal?.removeEventListener("abort", abort);
      };
      const check = () => {
        const verdict = this.closed
          ? { limited: stoppingProblem(this.parts.clock.wallMs()) }
          : this.prospects.warmth(this.waiters.length + this.ahead);
        if (!verdict) return;
        done();
        resolve(verdict);
      };
      const abort = () => {
        done();
        reject(signal?.reason);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      this.warming.add(check);
      if (this.closed) check();
      else this.changed(0);
    });
  }

  sync(): Promise<void> {
    return this.lookout.request();
  }

  reconfigure(config: PoolConfig): void {
    const { inventory, problems, backoffs } = this.parts;
    inventory.config = config;
    // What was refused may be allowed now: the next attempt tells.
    for (const key of problems.keys()) backoffs.retryNow(key);
    this.changed(0);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.parts.executor.stop();
    this.parts.onClose();
    this.lookout.stop();
    this.cancelPlan?.();
    this.cancelWake?.();
    this.waiters.refuse(
      () => true,
      () => stopping,
    );
    for (const check of [...this.warming]) check();
    await this.parts.journal.close();
  }

  /** An effect of ours is to be seen in the cloud within this time. */
  lookWithin(delayMs: number): void {
    this.lookout.within(delayMs);
  }

  /** For the executor and the lookout: something is different. */
  readonly onChange = (): void => this.changed(0);

  private async allocateNew(
    id: string,
    sandbox: Sandbox,
    deadlineMs: number,
    { keepMs, payload, exact }: AllocateOptions,
  ): Promise<Allocated> {
    const { inventory, journal, clock, problems } = this.parts;
    const kept = keepMs === undefined || exact !== undefined ? undefined : await this.takeKept(podOf(sandbox), deadlineMs);
    const taken = kept === undefined ? await this.take(id, deadlineMs, exact) : ({ ok: true, value: kept } as const);
    if (!taken.ok) return taken;
    const allocation = taken.value;
    await this.parts.failpoint("allocate.reserved");
    this.generation += 1;
    const bare: Lease = {
      ...{ id, generation: this.generation, state: "intent", sandbox, ...allocation, allocatedAtMs: clock.wallMs() },
      ...(keepMs === undefined ? {} : { keepMs }),
    };
    try {
      const extra = payload?.(bare);
      const lease: Lease = extra === undefined ? bare : { ...bare, payload: extra };
      await journal.commit([{ t: "lease", lease }]);
      problems.clear("journal");
      this.parts.reclaim.changed();
      await this.parts.failpoint("allocate.journaled");
      return { ok: true, lease, existed: false };
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      if (this.closed) return { ok: false, failure: stopping };
      const problem = problems.set("journal", { class: "journal", code: error.code, message: error.message });
      return { ok: false, failure: { reason: "journal", message: error.message, problem } };
    } finally {
      // From here on the ledger says who holds it.
      inventory.unreserve(allocation);
      this.changed(gatherMs);
    }
  }

  /** What is kept for this pod is nobody else's: it need not queue. Just after a start it waits until ENIs may be used again. */
  private async takeKept(pod: string, deadlineMs: number): Promise<Allocation | undefined> {
    const { inventory, clock } = this.parts;
    const kept = inventory.takeKept(pod);
    if (kept !== undefined || this.lookout.seen || inventory.trustJournal || !inventory.keepsFor(pod)) return kept;
    await this.within(this.lookout.request(), Math.min(deadlineMs, clock.monotonicMs() + firstLookGraceMs));
    return inventory.takeKept(pod);
  }

  private async take(id: string, deadlineMs: number, exact: AllocateOptions["exact"]) {
    if (exact) this.exact.set(id, exact);
    try {
      const warm = exact || this.waiters.length === 0 ? this.takeFor(id) : undefined;
      if (warm) return { ok: true as const, value: warm };
      const place = this.waiters.join(id, deadlineMs, exact !== undefined);
      this.changed(gatherMs);
      return await place;
    } finally {
      this.exact.delete(id);
    }
  }

  private takeFor(leaseId: string): Allocation | undefined {
    const { inventory } = this.parts;
    const exact = this.exact.get(leaseId);
    if (!exact) return inventory.take();
    const wanted = exact();
    return wanted && inventory.takeExact(wanted);
  }

  /** Expected pods that have not asked and for which nothing is kept. Sandboxes that ask without being expected make it less, which the next plan mends. */
  private get ahead(): number {
    const { inventory, journal } = this.parts;
    if (this.expected.size === 0) return 0;
    const holders = new Set<string>();
    for (const { state, sandbox } of journal.ledger.leases.values()) if (state !== "releasing") holders.add(podOf(sandbox));
    let count = 0;
    for (const pod of this.expected) if (!holders.has(pod) && !inventory.keepsFor(pod)) count += 1;
    return Math.max(0, count - this.allocating.size);
  }

  /** Serves who waits, and plans, at the latest in `withinMs`. */
  private changed(withinMs: number): void {
    if (this.closed) return;
    this.waiters.serve(({ leaseId }) => this.takeFor(leaseId));
    const dueMs = this.parts.clock.monotonicMs() + withinMs;
    if (this.planDueMs !== undefined && this.planDueMs <= dueMs) return;
    this.cancelPlan?.();
    this.planDueMs = dueMs;
    this.cancelPlan = this.parts.clock.after(withinMs, () => {
      this.planDueMs = undefined;
      this.replan();
    });
  }

  private replan(): void {
    if (this.closed) return;
    const { inventory, replenisher } = this.parts;
    this.waiters.serve(({ leaseId }) => this.takeFor(leaseId));
    const isWarming = this.warming.size > 0;
    // A whole ENI is not attached just to be warm; its slot being known is enough.
    const mustHold = isWarming && !inventory.exclusive;
    const minIdle = Math.max(inventory.config.minIdle, mustHold ? 1 : 0);
    // Who waits for warmth waits like a pod while nothing is free.
    const isCold = mustHold && this.waiters.length === 0 && inventory.free === 0;
    const { ahead } = this;
    if (this.lookout.seen && replenisher) {
      const demand = isCold ? { waiting: 1, minIdle: minIdle - 1 } : { waiting: this.waiters.length, minIdle };
      this.prospects.plan = replenisher.run({ ...demand, ahead });
    }
    const { reachable } = this.prospects;
    this.waiters.refuse(
      (waiter, place) => place >= reachable + this.prospects.restedBefore(waiter.deadlineMs),
      () => this.prospects.refusal(),
    );
    for (const check of [...this.warming]) check();
    this.endWarmUp();
    this.scheduleWake();
  }

  /** Once in the node's life, when the cloud and the bounds are known. Not durable at once: a crash repeats what is done by then. */
  private endWarmUp(): void {
    const { inventory, journal } = this.parts;
    const { ledger, config, warmUpTarget } = inventory;
    if (!this.parts.replenisher || this.warmUpEnding || ledger.warmedUp || !this.lookout.seen || config.vSwitchIds.length === 0) return;
    const { total } = this.view();
    if (total < warmUpTarget) return;
    this.warmUpEnding = true;
    journal.commitSoon([{ t: "warmed-up" }]).then(
      () => this.changed(gatherMs),
      // The disk is full, which others report: the next plan tries again.
      () => {
        this.warmUpEnding = false;
      },
    );
  }

  /** One timer for whatever ends by itself: rests and back-offs. */
  private scheduleWake(): void {
    const { clock, inventory, backoffs, reclaim } = this.parts;
    const backoffEndMs = backoffs.nextEndMs();
    const reclaimMs = reclaim.nextEndMs(inventory.config.reclaim);
    const delaysMs = inventory.restsMs().slice(0, 1);
    if (backoffEndMs !== undefined) delaysMs.push(backoffEndMs - clock.monotonicMs());
    // Due and not asked: planning waits for something else, which wakes us.
    if (reclaimMs !== undefined && reclaimMs > clock.monotonicMs()) delaysMs.push(reclaimMs - clock.monotonicMs());
    this.cancelWake?.();
    this.cancelWake =
      delaysMs.length > 0 ? clock.after(Math.max(1, ...delaysMs.sort((a, b) => a - b).slice(0, 1)), this.onChange) : undefined;
  }

  private releaseOf(id: string): Promise<true> {
    return new Promise((resolve) => {
      const waiting = this.releasing.get(id) ?? [];
      waiting.push(() => resolve(true));
      this.releasing.set(id, waiting);
    });
  }

  /** The promise's value, or undefined when the deadline passes first. */
  private within<T>(promise: Promise<T>, deadlineMs: number): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const cancel = this.parts.clock.after(deadlineMs - this.parts.clock.monotonicMs(), () => resolve(undefined));
      promise.then(resolve, reject).finally(cancel);
    });
  }
}

export function leaseIdOf(sandbox: Pick<Sandbox, "containerId" | "ifName">): string {
  return `${sandbox.containerId}/${sandbox.ifName}`;
}

const podOf = ({ podNamespace, podName }: Sandbox) => `${podNamespace}/${podName}`;

const stopping: AllocateFailure = { reason: "stopping", message: "the daemon is stopping; the call is to be sent again" };

function stoppingProblem(sinceMs: number): PoolProblem {
  return { class: "transient", code: "Stopping", message: stopping.message, sinceMs };
}

function tooLate(id: string): Allocated {
  return { ok: false, failure: { reason: "timeout", message: `an earlier call for ${id} had not ended in time` } };
}
