import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openMetadata } from "@terway/cloud";
import { openDatapath } from "@terway/datapath";
import { type AddressPool, type Clock, type CniConf, type EniConf, formatIssue, type Random, refuseKernel } from "@terway/model";
import { adminRoutes } from "./admin.ts";
import { Background } from "./background.ts";
import { nodes } from "./cluster/kinds.ts";
import { openCluster } from "./cluster/open-cluster.ts";
import { watchConfigFile } from "./config-file.ts";
import { openDebugSocket } from "./debug-socket.ts";
import { EventLog } from "./events.ts";
import { openFailpoint } from "./failpoint.ts";
import type { Flags } from "./flags.ts";
import { GivenLeases } from "./given-leases.ts";
import { healthRoutes } from "./health.ts";
import { openHoldings } from "./holdings.ts";
import { askIdentity, believe, learnIdentity } from "./identity.ts";
import { type InstanceFacts, readFacts } from "./instance.ts";
import type { InstanceLink } from "./instance-link.ts";
import { probeOnce } from "./kernel-probe.ts";
import type { Logger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { serveMetrics } from "./metrics-listener.ts";
import { chooseModes, type ModeChoice, rememberedModes, virtualTypeName } from "./mode-choice.ts";
import type { Node } from "./node.ts";
import { openNodePool } from "./open-pool.ts";
import { Pods } from "./pods.ts";
import { dormantPoolConfig } from "./pool-config.ts";
import { publishWhenWarm } from "./publish.ts";
import { readBootId, recover, writeBootId } from "./recover.ts";
import { watchRepairs } from "./repairs.ts";
import { CniServer } from "./server.ts";
import { SingleFlight } from "./single-flight.ts";
import { publishSocket } from "./socket.ts";
import { sweep } from "./sweep.ts";
import { switchSymmetricRouting } from "./symmetric-routing.ts";
import { Tombstones } from "./tombstones.ts";
import { UnopenedPool } from "./unopened-pool.ts";
import { untilAborted } from "./until-aborted.ts";
import { Uplink } from "./uplink.ts";

export interface DaemonOptions {
  readonly flags: Flags;
  /** As first read, and its text, from which changes are told. */
  readonly config: { readonly conf: EniConf; readonly text: string };
  /** `10-terway.conf`, or our part of `10-terway.conflist`. */
  readonly cniConf: CniConf;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly processId: number;
  /** As `kill -9`, for crash tests. */
  readonly kill: () => void;
}

const drainMs = 5_000;
const closeDatapathMs = 1_000;

/**
 * Runs the daemon until `stop` is aborted. Order of start: lock, journal, kernel, tombstones, socket; then the cloud, which pods that run do not need.
 * Rejects when it cannot run at all, or with InstanceChanged.
 */
export async function runDaemon(options: DaemonOptions, stop: AbortSignal): Promise<void> {
  const { flags, clock, random, log } = options;
  await mkdir(flags.runDir, { recursive: true, mode: 0o700 });
  await mkdir(flags.stateDir, { recursive: true, mode: 0o700 });
  const metrics = new Metrics();
  const events = new EventLog(clock, log);
  const failpoint = openFailpoint(flags.failpoint, options.kill);
  const bootId = await readBootId(flags.stateDir);
  const background = new Background(stop);
  let conf = options.config.conf;

  const datapath = openDatapath({ bpffs: flags.bpffs });
  const tooOld = refuseKernel(datapath.status().kernelRelease);
  if (tooOld !== undefined) throw new Error(tooOld);
  const cluster = await openCluster(flags.cluster, { clock, random, log });
  const pods = new Pods({ cluster, nodeName: flags.nodeName, clock, log });
  const wasExclusive = (await rememberedModes(flags.stateDir))?.node === "exclusive";
  let poolConfig = dormantPoolConfig(conf, flags.coolDownMs, wasExclusive);
  const uplink = new Uplink(datapath, log, flags.ruleForm);
  await uplink.refresh();
  const metadata = openMetadata({
    clock,
    random,
    ...(flags.endpoints.metadata === undefined ? {} : { endpoint: new URL(flags.endpoints.metadata) }),
    onCall: ({ action, durationMs, errorCode }) => metrics.metadata(action, errorCode !== undefined, durationMs),
  });

  const { given, problems: unreadable } = await GivenLeases.open(join(flags.stateDir, "given"));
  for (const problem of unreadable) log.warn(problem);
  let pool: AddressPool | undefined;
  let link: InstanceLink | undefined;
  let choice: ModeChoice | undefined;
  let symmetricRouting = "not switched yet";
  let published = false;
  let metadataFailure = "the instance metadata has not answered yet";
  const startedMs = clock.wallMs();
  const unopened = new UnopenedPool(() => ({
    class: "transient",
    code: "MetadataUnavailable",
    message: metadataFailure,
    sinceMs: startedMs,
  }));
  const node: Node = {
    clock,
    log,
    metrics,
    events,
    pods,
    pool: openHoldings(() => pool ?? unopened, given),
    datapath,
    flight: new SingleFlight(),
    hostNames: new SingleFlight(),
    network: () => ({
      ...uplink.network(),
      securityGroupIds: poolConfig.securityGroupIds,
      localDeliveryAcrossSecurityGroups: conf.localDeliveryAcrossSecurityGroups,
      serviceCidrs: conf.serviceCidrs,
      extraRoutes: conf.extraRoutes,
    }),
    modes: () => choice?.modes,
    enis: (signal) => metadata.enis(signal),
    unready: () => (link === undefined ? metadataFailure : link.unready()),
    failpoint,
  };
  metrics.observe(
    () => node.pool,
    datapath,
    () => (poolConfig.ipv6 ? (poolConfig.ipv4 ? "dual" : "ipv6") : "ipv4"),
    () => choice?.modes,
  );

  const tombstones = new Tombstones(node, join(flags.runDir, "tombstones"));
  const openNode = async (facts: InstanceFacts) => {
    const opened = await openNodePool(facts, {
      ...{ flags, clock, random, log, metrics, events, metadata, datapath, failpoint, bootId: bootId.current },
      conf: () => conf,
      poolConfig: () => poolConfig,
      onPoolConfig: (config) => {
        poolConfig = config;
      },
    });
    pool = opened.pool;
    const { problems, ...counts } = await recover(node, bootId);
    await writeBootId(flags.stateDir);
    for (const problem of problems) log.warn(problem);
    log.info(counts, "recovered");
    await tombstones.start();
    const { stateDir, cniConf, cniConfDir } = flags;
    const decided = await chooseModes({
      ...{ stateDir, eniConf: conf, cniConf: options.cniConf, log, events },
      labels: (await cluster.read(nodes, undefined, flags.nodeName))?.metadata.labels ?? {},
      kernel: await probeOnce(datapath, stateDir, bootId.current),
      leases: node.pool.leases(),
    });
    choice = decided;
    const virtualType = virtualTypeName(decided.modes);
    const newLink = opened.openLink(decided.modes.node === "exclusive");
    link = newLink;
    const { settled } = newLink;
    background.run("the link to the cloud", (signal) => newLink.run(signal));
    background.run("the conflist", async (signal) => {
      published = await publishWhenWarm({ node, cniConf, cniConfDir, virtualType, settled, signal });
    });
  };

  const identity = await askIdentity(metadata, clock).catch((error: unknown) => {
    metadataFailure = error instanceof Error ? error.message : String(error);
    log.warn(metadataFailure);
    return undefined;
  });
  const remembered = await readFacts(flags.stateDir);
  const facts = believe(identity, remembered);
  if (facts !== undefined) {
    // While an older daemon holds the journal nothing is begun here; afterwards every step may be cut off, as by a crash.
    await Promise.race([openNode(facts), untilAborted(stop)]);
    if (stop.aborted) return;
  }

  const server = new CniServer(node);
  adminRoutes(server.app, {
    ...{ node, metadata, events, nodeName: flags.nodeName },
    poolConfig: () => poolConfig,
    facts: () => link?.facts,
    choice: () => choice,
    symmetricRouting: () => symmetricRouting,
  });
  const unready = () => {
    if (stop.aborted) return "stopping";
    return node.unready() ?? (published ? undefined : "the pool is not warm yet");
  };
  healthRoutes(server.app, metrics.registry, unready);
  const socket = join(flags.runDir, "terway.socket");
  await publishSocket(socket, options.processId, (path) => server.app.listen({ path }));
  const debug = await openDebugSocket(join(flags.runDir, "eni_debug.socket"), options.processId, metrics.registry);
  log.info({ socket, leases: node.pool.leases().length }, "listening");

  const { metricsListen } = flags;
  if (metricsListen !== undefined) {
    const { registry } = metrics;
    background.run("the metrics", (signal) => serveMetrics({ listen: metricsListen, registry, unready, clock, random, log, signal }));
  }
  watchRepairs(node);
  background.run("symmetric routing", (signal) =>
    switchSymmetricRouting({
      ...{ datapath, clock, log, events, signal },
      wanted: options.cniConf.symmetricRouting,
      onState: (state) => {
        symmetricRouting = state;
      },
    }),
  );
  background.run("the sweep", (signal) => sweep(node, signal));
  background.run("the watch over the node's interface", (signal) => uplink.watch(clock, signal));
  background.run("the watch over the configuration", (signal) =>
    watchConfigFile(flags.config, options.config.text, {
      ...{ clock, log, signal },
      onChange: (changed, warnings) => {
        for (const issue of warnings) log.warn({ path: issue.path, code: issue.code }, formatIssue(issue));
        // Pods hold addresses of the families they were started with; a change of them comes with the next start.
        conf = { ...changed, ipv4: conf.ipv4, ipv6: conf.ipv6 };
        if (flags.logLevel === undefined && changed.logLevel !== undefined) log.level = changed.logLevel;
        log.info("configuration changed");
        link?.reconfigure();
      },
      onBroken: (problems) => {
        for (const problem of problems) log.error(problem);
        events.emit("ConfigError", { kind: "Node" }, `the changed configuration is not used: ${problems.join("; ")}`);
      },
    }),
  );
  if (identity === undefined) {
    background.run("the instance metadata", async (signal) => {
      const onFailure = (message: string) => {
        metadataFailure = message;
      };
      const learned = await learnIdentity({ metadata, clock, random, log, remembered, signal, onFailure });
      if (learned !== undefined && remembered === undefined) await openNode({ identity: learned });
    });
  }

  try {
    await background.ended;
  } finally {
    log.info("stopping");
    background.stop();
    await server.drain(clock, drainMs);
    await new Promise((resolve) => debug.close(resolve));
    await tombstones.stop();
    await cluster.close();
    await node.pool.close();
    await datapath.close(closeDatapathMs);
    log.info("stopped");
  }
}
