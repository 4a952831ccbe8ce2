import type { AddressPool, Clock, Cloud, InstanceIdentity, Metadata, PoolConfig, PoolEvent, Random } from "@terway/model";
import { Backoffs } from "./backoff.ts";
import { Executor } from "./executor.ts";
import type { Failpoint, FailpointHook } from "./failpoint.ts";
import { Inventory } from "./inventory.ts";
import { openFileStorage } from "./journal/file-storage.ts";
import { Journal } from "./journal/journal.ts";
import type { LedgerJournal } from "./journal/ledger-journal.ts";
import type { JournalStorage } from "./journal/storage.ts";
import { Observer, unassignedSeenWithinMs } from "./observer.ts";
import type { Attempt } from "./operation/context.ts";
import { attempt, Stopped } from "./operation/context.ts";
import { Pool } from "./pool.ts";
import { Problems } from "./problems.ts";
import { Quarantine } from "./quarantine.ts";
import { Reclaim } from "./reclaim.ts";
import { Replenisher } from "./replenisher.ts";

/** What every pool works with, wherever its facts are kept. */
export interface PoolOptions {
  readonly cloud: Cloud;
  /** Second witness while the cloud cannot be reached at start. */
  readonly metadata?: Metadata;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: PoolConfig;
  /** `zoneId` keeps ENIs out of vSwitches of other zones. */
  readonly identity: Pick<InstanceIdentity, "instanceId"> & Partial<Pick<InstanceIdentity, "zoneId">>;
  readonly onEvent?: (event: PoolEvent) => void;
  /** A look at the cloud has ended; whether it answered. */
  readonly onLook?: (answered: boolean) => void;
  /** Text of `/proc/sys/kernel/random/boot_id`. With it, rests go on across restarts of the daemon; without it they begin again. */
  readonly bootId?: string;
  /**
   * Pod addresses that the kernel routes on this node now, whoever holds them. Asked at start and with every look at the cloud: an address in use
   * that no lease holds (the journal was damaged or lost) is not given out, not taken away, and rests once it is not in use any more. Without it,
   * what a damaged journal has forgotten is not known to be in use. A rejection at start fails the opening: nothing may be given out unseen.
   */
  readonly occupied?: () => Promise<readonly string[]>;
  /**
   * ENIs and addresses come and go by somebody else's hand (centralized IPAM), which `cloud` shows. This pool begins nothing there, and what an older
   * process had begun is left to that hand, which finds it by its tags.
   */
  readonly supplied?: boolean;
  /** Somebody else changed the node's ENIs since the journal was written: nothing is given out before the cloud was seen. */
  readonly outdated?: boolean;
  readonly failpoint?: FailpointHook;
}

/** A pool whose journal is a file of this node. */
export interface NodePoolOptions extends PoolOptions {
  /** Directory of the journal, for example `/var/lib/terway`. Locked for this process as long as the pool is open. */
  readonly journalDir: string;
  /** How long to wait for an older daemon to give the journal free. Default 10 s, the time kubelet's retried calls bridge. */
  readonly lockWaitMs?: number;
  /** Size from which the journal is rewritten as a snapshot. Default 1 MiB, about 4,000 changes. */
  readonly snapshotBytes?: number;
  /** In the place of files, for tests that lose power. */
  readonly storage?: JournalStorage;
}

/**
 * Opens the node's pool: takes the journal's lock, replays it, and answers. Leases are there at once; the cloud is looked at in the background, so
 * that a node whose cloud is away keeps its pods and can give out what it holds. Throws JournalLockedError and JournalError.
 */
export async function openPool(options: NodePoolOptions): Promise<AddressPool> {
  const { clock, random } = options;
  const failpoint = async (name: Failpoint) => {
    await options.failpoint?.(name);
  };
  const storage =
    options.storage ??
    (await openFileStorage({
      directory: options.journalDir,
      clock,
      lockWaitMs: options.lockWaitMs ?? 10_000,
      failpoint: options.failpoint,
    }));
  try {
    const quarantine = new Quarantine(clock, random, options.bootId);
    let coolDownMs = () => options.config.coolDownMs;
    const journal = await Journal.open({
      storage,
      clock,
      instanceId: options.identity.instanceId,
      failpoint: options.failpoint,
      onEvent: options.onEvent,
      snapshotBytes: options.snapshotBytes,
      isRestOver: (rest) => quarantine.remainingMs(rest, coolDownMs()) === 0,
    });
    await failpoint("recover.replayed");
    const { pool, inventory } = await open(journal, quarantine, options);
    coolDownMs = () => inventory.config.coolDownMs;
    return pool;
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** Opens a pool whose facts another journal keeps; it is closed with the pool. What rests by that journal, rests anew from now on. */
export async function openPoolOn(journal: LedgerJournal, options: PoolOptions): Promise<AddressPool> {
  const { pool } = await open(journal, new Quarantine(options.clock, options.random, options.bootId), options);
  return pool;
}

async function open(
  journal: LedgerJournal,
  quarantine: Quarantine,
  options: PoolOptions,
): Promise<{ pool: AddressPool; inventory: Inventory }> {
  const { clock, random, cloud, identity } = options;
  const emit = (event: PoolEvent) => options.onEvent?.(event);
  const failpoint = async (name: Failpoint) => {
    await options.failpoint?.(name);
  };
  if (options.supplied) {
    const left = [...journal.ledger.operations.keys()].map((id) => ({ t: "end" as const, id }));
    if (left.length > 0) await journal.commit(left);
  }
  // Numbers of leases that were lost with a damaged or removed journal must not come again: the kernel knows attachments by them.
  const generationFloor = journal.fresh || journal.repaired ? Math.floor(clock.wallMs() / 1_000) : 0;
  const inventory = new Inventory(journal.ledger, quarantine, options.config);
  for (const address of (await options.occupied?.()) ?? []) if (!journal.ledger.holders.has(address)) inventory.occupied.add(address);

  const problems = new Problems(clock, emit);
  const backoffs = new Backoffs(clock, random);
  const reclaim = new Reclaim(clock, random);
  let closed = false;
  const context = {
    cloud,
    clock,
    random,
    instanceId: identity.instanceId,
    inventory,
    backoffs,
    problems,
    failpoint,
    emit: (event: PoolEvent) => {
      if (event.type === "assigned") observer.suspicions.made(event.addresses);
      if (event.type === "unassigned") pool.lookWithin(unassignedSeenWithinMs);
      if (event.type === "eni-attached") {
        const eni = journal.ledger.enis.get(event.eniId);
        observer.suspicions.made([event.eniId, ...(eni ? [...eni.ipv4, ...eni.ipv6] : [])]);
      }
      emit(event);
    },
  };
  const executor: Executor = new Executor(journal, context, () => pool.onChange());
  const observer: Observer = new Observer({
    ...context,
    isFinal: options.supplied ?? false,
    metadata: options.metadata,
    record: (records) => executor.record(records),
    attempt: <T>(action: string, call: () => Promise<T>): Promise<Attempt<T>> =>
      attempt(
        {
          checkpoint: () => {
            if (closed) throw new Stopped();
          },
        },
        action,
        call,
      ),
  });
  const parts = { random, inventory, executor, reclaim, backoffs, problems, identity, availableIpv4: observer.availableIpv4 };
  const replenisher = options.supplied ? undefined : new Replenisher(parts);
  const pool: Pool = new Pool({
    clock,
    random,
    journal,
    inventory,
    quarantine,
    backoffs,
    problems,
    executor,
    observer,
    reclaim,
    replenisher,
    failpoint,
    occupied: options.occupied,
    onLook: options.onLook,
    outdated: options.outdated ?? false,
    generationFloor,
    onClose: () => {
      closed = true;
    },
  });
  pool.run();
  return { pool, inventory };
}
