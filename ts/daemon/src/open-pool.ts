import { assumeOidcRole, Degradation, openCloud, openCredentials } from "@terway/cloud";
import { type FailpointHook, openPool } from "@terway/ipam";
import {
  type AddressPool,
  type Clock,
  type Cloud,
  type Datapath,
  degradationRule,
  type EniConf,
  type EventSink,
  type Metadata,
  type NodeModes,
  type PoolConfig,
  type Random,
} from "@terway/model";
import { forgetCentral } from "./central/mark.ts";
import type { Failpoint } from "./failpoint.ts";
import type { Flags } from "./flags.ts";
import { type InstanceFacts, writeFacts } from "./instance.ts";
import { InstanceLink } from "./instance-link.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { NodeLink } from "./node-link.ts";
import { poolEventSink } from "./pool-events.ts";

export interface NodePoolParts {
  readonly flags: Flags;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventSink;
  readonly metadata: Metadata;
  readonly datapath: Datapath;
  readonly failpoint: Failpoint;
  readonly bootId: string;
  /** Read at every use: a changed file counts at once. */
  readonly conf: () => EniConf;
  readonly poolConfig: () => PoolConfig;
  readonly onPoolConfig: (config: PoolConfig) => void;
}

/** How long to wait for an older daemon that still holds the journal; it drains for 5 s. */
const lockWaitMs = 30_000;

/** A pool, and what makes the link that gives it its bounds. */
export interface OpenedPool {
  readonly pool: AddressPool;
  /** Absent: this node calls no cloud. */
  readonly cloud?: Cloud;
  /** How much of the cloud this node uses, as its calls have found it. */
  readonly degradation?: Pick<Degradation, "level" | "reason">;
  readonly openLink: (modes: NodeModes) => NodeLink;
}

/** What every pool over this node's journal is opened with. */
export function journaledPool(facts: InstanceFacts, parts: NodePoolParts) {
  const { flags, clock, random, log, metrics, events, datapath, failpoint } = parts;
  return {
    journalDir: flags.stateDir,
    clock,
    random,
    config: parts.poolConfig(),
    identity: facts.identity,
    bootId: parts.bootId,
    lockWaitMs,
    onEvent: poolEventSink(log, events, metrics),
    failpoint: (step: Parameters<FailpointHook>[0]) => {
      if (step === "journal.append.durable") metrics.journalCommitted();
      failpoint(step);
    },
    occupied: async () => {
      const surveyed = await datapath.survey();
      if (!surveyed.ok) throw new Error(surveyed.error.message);
      return surveyed.value.flatMap((one) => one.addresses);
    },
  };
}

/**
 * The pool of the instance that `facts` names, over its own journal and the cloud. `outdated`: the control plane has changed its ENIs meanwhile. Throws when
 * the journal cannot be had.
 */
export async function openNodePool(facts: InstanceFacts, parts: NodePoolParts, outdated: boolean): Promise<OpenedPool> {
  const { flags, clock, random, log, metrics, events, metadata, conf } = parts;
  const { ecs, vpc, sts } = flags.endpoints;
  const { oidcRole } = flags;
  const assume = { clock, random, regionId: facts.identity.regionId, ...(sts === undefined ? {} : { endpoint: new URL(sts) }) };
  const credentials = openCredentials({
    clock,
    metadata,
    ...(oidcRole === undefined ? {} : { oidcRole: () => assumeOidcRole(oidcRole, assume) }),
    accessKey: () => conf().accessKey,
    credentialPath: () => conf().credentialPath,
  });
  const degradation = new Degradation({
    clock,
    thresholds: () => conf().degradation,
    onChange: (level, reason) => {
      log.warn({ level }, `degradation: ${reason}`);
      if (level === "none") events.emit("SyncOpenAPISuccess", { kind: "Node" }, `degradation is over: ${reason}`);
      else events.emit("SyncOpenAPIFailed", { kind: "Node" }, `degraded to ${level.toUpperCase()}, ${degradationRule[level]}: ${reason}`);
    },
  });
  const cloud = openCloud({
    regionId: facts.identity.regionId,
    endpoints: { ...(ecs ? { ecs: new URL(ecs) } : {}), ...(vpc ? { vpc: new URL(vpc) } : {}) },
    credentials,
    clock,
    random,
    rateLimits: () => conf().rateLimits,
    degradation: () => degradation.forCall(),
    onOutcome: (error) => degradation.record(error),
    onCall: ({ action, durationMs, errorCode }) => metrics.openApi(action, errorCode !== undefined, durationMs),
  });
  // Before the journal is made: what it holds belongs to this instance.
  await writeFacts(flags.stateDir, facts);
  const pool = await openPool({
    ...journaledPool(facts, parts),
    ...{ cloud, metadata, outdated },
    onLook: (answered) => {
      if (answered && outdated)
        forgetCentral(flags.stateDir).catch((error: unknown) => log.warn({ err: error }, "the mark of the control plane stays"));
    },
  });
  const openLink = ({ node }: NodeModes) =>
    new InstanceLink(facts, {
      exclusive: node === "exclusive",
      cloud,
      clock,
      random,
      log,
      events,
      stateDir: flags.stateDir,
      coolDownMs: flags.coolDownMs,
      conf,
      apply: (config) => {
        parts.onPoolConfig(config);
        pool.reconfigure(config);
        pool.sync().catch((error: unknown) => log.warn({ err: error }, "the cloud cannot be compared with"));
      },
    });
  return { pool, cloud, degradation, openLink };
}
