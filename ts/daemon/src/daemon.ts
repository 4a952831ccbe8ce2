import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openCloud, openCredentials, openMetadata } from "@terway/cloud";
import { openDatapath } from "@terway/datapath";
import { openPool } from "@terway/ipam";
import {
  type AddressPool,
  type Clock,
  type Datapath,
  type EniConf,
  formatIssue,
  type InstanceIdentity,
  type Metadata,
  type PoolConfig,
  type Random,
} from "@terway/model";
import { adminRoutes } from "./admin.ts";
import { watchConfigFile } from "./config-file.ts";
import { publishConflist, readConflistSource, renderConflist } from "./conflist.ts";
import { openDebugSocket } from "./debug-socket.ts";
import { EventLog } from "./events.ts";
import { openFailpoint } from "./failpoint.ts";
import type { Flags } from "./flags.ts";
import { type InstanceFacts, readFacts, writeFacts } from "./instance.ts";
import { InstanceLink } from "./instance-link.ts";
import type { Logger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import type { Node } from "./node.ts";
import { cniArgsPods } from "./pods.ts";
import { dormantPoolConfig } from "./pool-config.ts";
import { poolEventSink } from "./pool-events.ts";
import { readBootId, recover, writeBootId } from "./recover.ts";
import { watchRepairs } from "./repairs.ts";
import { retry } from "./retry.ts";
import { CniServer } from "./server.ts";
import { SingleFlight } from "./single-flight.ts";
import { publishSocket } from "./socket.ts";
import { sweep } from "./sweep.ts";
import { Tombstones } from "./tombstones.ts";
import { UnopenedPool } from "./unopened-pool.ts";
import { Uplink } from "./uplink.ts";

export interface DaemonOptions {
  readonly flags: Flags;
  /** As first read, and its text, from which changes are told. */
  readonly config: { readonly conf: EniConf; readonly text: string };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly processId: number;
  /** As `kill -9`, for crash tests. */
  readonly kill: () => void;
}

/** The instance is another one than the journal's: the process must start again with nothing remembered. */
export class InstanceChanged extends Error {
  override readonly name = "InstanceChanged";
}

const drainMs = 5_000;
const closeDatapathMs = 1_000;
/** A node whose metadata service does not answer in this time starts from what it knew before. */
const firstMetadataMs = 2_000;
/** How long to wait for an older daemon that still holds the journal; it drains for 5 s. */
const lockWaitMs = 30_000;

/**
 * Runs the daemon until `stop` is aborted. Order of start: lock, journal, kernel, tombstones, socket; then the cloud, which pods that run do not need.
 * Rejects when it cannot run at all, or with {@link InstanceChanged}.
 */
export async function runDaemon(options: DaemonOptions, stop: AbortSignal): Promise<void> {
  const { flags, clock, random, log } = options;
  await mkdir(flags.runDir, { recursive: true, mode: 0o700 });
  await mkdir(flags.stateDir, { recursive: true, mode: 0o700 });
  const metrics = new Metrics();
  const events = new EventLog(clock, log);
  const failpoint = openFailpoint(flags.failpoint, options.kill);
  const current = { conf: options.config.conf, poolConfig: dormantPoolConfig(options.config.conf, flags.coolDownMs) };

  const datapath = openDatapath();
  const uplink = new Uplink(datapath, log, flags.ruleForm);
  await uplink.refresh();
  const metadata = openMetadata({
    clock,
    random,
    ...(flags.endpoints.metadata === undefined ? {} : { endpoint: new URL(flags.endpoints.metadata) }),
    onCall: ({ action, durationMs, errorCode }) => metrics.metadata(action, errorCode !== undefined, durationMs),
  });

  const background = new AbortController();
  const signal = AbortSignal.any([stop, background.signal]);
  const fatal = Promise.withResolvers<never>();
  fatal.promise.catch(() => {});
  const run = (name: string, work: Promise<void>) => {
    work.catch((error: unknown) => {
      if (!signal.aborted) fatal.reject(error instanceof InstanceChanged ? error : new Error(`${name} has ended`, { cause: error }));
    });
  };

  let pool: AddressPool | undefined;
  let link: InstanceLink | undefined;
  const unknownSinceMs = clock.wallMs();
  let metadataFailure = "the instance metadata has not answered yet";
  const unopened = new UnopenedPool(() => ({
    class: "transient",
    code: "MetadataUnavailable",
    message: metadataFailure,
    sinceMs: unknownSinceMs,
  }));
  const node: Node = {
    clock,
    log,
    metrics,
    events,
    pods: cniArgsPods,
    get pool() {
      return pool ?? unopened;
    },
    datapath,
    flight: new SingleFlight(),
    hostNames: new SingleFlight(),
    network: () => uplink.network(),
    unready: () => (link === undefined ? metadataFailure : link.unready()),
    failpoint,
  };
  metrics.observe(
    () => node.pool,
    datapath,
    () => (current.poolConfig.ipv6 ? (current.poolConfig.ipv4 ? "dual" : "ipv6") : "ipv4"),
  );

  const tombstones = new Tombstones(node, join(flags.runDir, "tombstones"));
  const openNode = async (facts: InstanceFacts) => {
    const opened = await open(options, facts, { metadata, datapath, metrics, events, failpoint, current });
    pool = opened.pool;
    link = opened.link;
    await recoverNode(node, flags.stateDir);
    await tombstones.start();
    run("the link to the cloud", opened.link.run(signal));
    run(
      "the conflist",
      publishWhenWarm(node, opened.link.settled, flags, signal, () => (published = true)),
    );
  };
  let published = false;

  const identity = await within(clock, firstMetadataMs, (until) => metadata.identity(until)).catch((error: unknown) => {
    metadataFailure = error instanceof Error ? error.message : String(error);
    log.warn({ err: error }, "the instance metadata cannot be read");
    return undefined;
  });
  const remembered = await readFacts(flags.stateDir);
  const facts = factsOf(identity, remembered);
  if (facts !== undefined) await openNode(facts);

  const server = new CniServer(node);
  adminRoutes(server.app, {
    node,
    metadata,
    events,
    nodeName: flags.nodeName,
    poolConfig: () => current.poolConfig,
    facts: () => link?.facts,
  });
  const readiness = () => (stop.aborted ? "stopping" : (node.unready() ?? (published ? undefined : "the pool is not warm yet")));
  server.app.get("/healthz", async () => "ok\n");
  server.app.get("/readyz", async (_request, reply) => {
    const reason = readiness();
    return reply.code(reason === undefined ? 200 : 503).send(`${reason ?? "ok"}\n`);
  });
  server.app.get("/metrics", async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()));
  const socketPath = join(flags.runDir, "terway.socket");
  await publishSocket(socketPath, options.processId, (path) => server.app.listen({ path }));
  const debug = await openDebugSocket(join(flags.runDir, "eni_debug.socket"), options.processId, metrics.registry, () => undefined);
  log.info({ socket: socketPath, leases: node.pool.leases().length }, "listening");

  watchRepairs(node);
  run("the sweep", sweep(node, signal));
  run("the watch over the node's interface", uplink.watch(clock, signal));
  run(
    "the instance metadata",
    identify(node, metadata, random, identity, remembered, signal, openNode, (message) => (metadataFailure = message)),
  );
  run(
    "the watch over the configuration",
    watchConfigFile(flags.config, options.config.text, {
      clock,
      log,
      signal,
      onChange: (conf, warnings) => {
        for (const issue of warnings) log.warn({ path: issue.path, code: issue.code }, formatIssue(issue));
        // Pods hold addresses of the families they were started with; a change of them comes with the next start.
        current.conf = { ...conf, ipv4: current.conf.ipv4, ipv6: current.conf.ipv6 };
        if (flags.logLevel === undefined && conf.logLevel !== undefined) log.level = conf.logLevel;
        log.info("configuration changed");
        link?.reconfigure();
      },
      onBroken: (problems) => {
        for (const problem of problems) log.error(problem);
        events.emit("ConfigError", { kind: "Node" }, `the changed configuration is not used: ${problems.join("; ")}`);
      },
    }),
  );

  try {
    await Promise.race([aborted(stop), fatal.promise]);
  } finally {
    log.info("stopping");
    background.abort();
    await server.drain(clock, drainMs);
    await new Promise((resolve) => debug.close(resolve));
    await tombstones.stop();
    await node.pool.close();
    await datapath.close(closeDatapathMs);
    log.info("stopped");
  }
}

/** What is believed at start: the metadata service when it answers, else what was known before. */
function factsOf(identity: InstanceIdentity | undefined, remembered: InstanceFacts | undefined): InstanceFacts | undefined {
  if (identity === undefined) return remembered;
  return remembered?.identity.instanceId === identity.instanceId && remembered.identity.instanceType === identity.instanceType
    ? { ...remembered, identity }
    : { identity };
}

async function open(
  options: DaemonOptions,
  facts: InstanceFacts,
  parts: {
    readonly metadata: Metadata;
    readonly datapath: Datapath;
    readonly metrics: Metrics;
    readonly events: EventLog;
    readonly failpoint: (step: string) => void;
    readonly current: { conf: EniConf; poolConfig: PoolConfig };
  },
): Promise<{ pool: AddressPool; link: InstanceLink }> {
  const { flags, clock, random, log } = options;
  const { metadata, datapath, metrics, events, failpoint, current } = parts;
  const { ecs, vpc } = flags.endpoints;
  const credentials = openCredentials({
    clock,
    metadata,
    accessKey: () => current.conf.accessKey,
    credentialPath: () => current.conf.credentialPath,
  });
  const cloud = openCloud({
    regionId: facts.identity.regionId,
    endpoints: { ...(ecs ? { ecs: new URL(ecs) } : {}), ...(vpc ? { vpc: new URL(vpc) } : {}) },
    credentials,
    clock,
    random,
    rateLimits: () => current.conf.rateLimits,
    onCall: ({ action, durationMs, errorCode }) => metrics.openApi(action, errorCode !== undefined, durationMs),
  });
  const bootId = await readBootId(flags.stateDir);
  // Before the journal is made: what it holds belongs to this instance.
  await writeFacts(flags.stateDir, facts);
  const pool = await openPool({
    journalDir: flags.stateDir,
    cloud,
    metadata,
    clock,
    random,
    config: current.poolConfig,
    identity: facts.identity,
    bootId: bootId.current,
    lockWaitMs,
    onEvent: poolEventSink(log, events, metrics),
    failpoint,
    occupied: async () => {
      const surveyed = await datapath.survey();
      if (!surveyed.ok) throw new Error(surveyed.error.message);
      return surveyed.value.flatMap((one) => one.addresses);
    },
  });
  const link = new InstanceLink(facts, {
    cloud,
    clock,
    random,
    log,
    events,
    stateDir: flags.stateDir,
    coolDownMs: flags.coolDownMs,
    conf: () => current.conf,
    apply: (config) => {
      current.poolConfig = config;
      pool.reconfigure(config);
      pool.sync().catch((error: unknown) => log.warn({ err: error }, "the cloud cannot be compared with"));
    },
  });
  return { pool, link };
}

async function recoverNode(node: Node, stateDir: string): Promise<void> {
  const bootId = await readBootId(stateDir);
  const recovery = await recover(node, bootId);
  await writeBootId(stateDir);
  const { problems, ...counts } = recovery;
  for (const problem of problems) node.log.warn(problem);
  node.log.info(counts, "recovered");
}

/** Goes on asking who this instance is: to open the pool when nobody knew, and to notice a disk that came from another instance. */
async function identify(
  node: Node,
  metadata: Metadata,
  random: Random,
  known: InstanceIdentity | undefined,
  remembered: InstanceFacts | undefined,
  signal: AbortSignal,
  openNode: (facts: InstanceFacts) => Promise<void>,
  failed: (message: string) => void,
): Promise<void> {
  if (known !== undefined) return;
  let said = "";
  const identity = await retry(() => metadata.identity(signal), {
    clock: node.clock,
    random,
    firstMs: 1_000,
    maxMs: 15_000,
    signal,
    onFailure: (error) => {
      const message = error instanceof Error ? error.message : String(error);
      failed(message);
      if (message !== said) node.log.warn(message);
      said = message;
    },
  });
  if (identity === undefined) return;
  node.log.info({ instanceId: identity.instanceId }, "the instance metadata answers");
  if (remembered === undefined) await openNode({ identity });
  else if (remembered.identity.instanceId !== identity.instanceId) {
    throw new InstanceChanged(`this is ${identity.instanceId}, the journal is that of ${remembered.identity.instanceId}`);
  }
}

/** The runtime takes the node for ready when this file appears, so it appears when pods can be served, or when nothing more is to be had. */
async function publishWhenWarm(node: Node, settled: Promise<void>, flags: Flags, signal: AbortSignal, done: () => void): Promise<void> {
  const rendered = renderConflist(await readConflistSource(flags.cniConf));
  if (!rendered.ok) throw new Error(rendered.problems.join("\n"));
  for (const issue of rendered.warnings) node.log.warn({ path: issue.path, code: issue.code }, formatIssue(issue));
  // Before the bounds are known nothing may grow, and the pool would call itself as warm as can be.
  await Promise.race([settled, aborted(signal)]);
  if (signal.aborted) return;
  const { limited } = await node.pool.warm(signal);
  if (signal.aborted) return;
  if (limited !== undefined) {
    const message = `the node is made ready although no more addresses can be had: ${limited.message}`;
    node.log.warn({ code: limited.code, class: limited.class }, message);
    node.events.emit("AllocIPFailed", { kind: "Node" }, message);
  }
  await mkdir(flags.cniConfDir, { recursive: true });
  const written = await publishConflist(flags.cniConfDir, rendered.text);
  done();
  node.log.info({ directory: flags.cniConfDir, written, free: node.pool.view().free }, "the runtime may use the network");
}

async function within<T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const cancel = clock.after(ms, () => controller.abort(new Error(`no answer within ${ms} ms`)));
  try {
    return await work(controller.signal);
  } finally {
    cancel();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
