import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openMetadata } from "@terway/cloud";
import { openDatapath } from "@terway/datapath";
import {
  type AddressPool,
  type Clock,
  type Cloud,
  degradationCondition,
  type InstanceLimits,
  type KernelCapabilities,
  type NodeModes,
  type Random,
  refuseKernel,
} from "@terway/model";
import { adminRoutes } from "./admin.ts";
import { readAttachment } from "./attachment.ts";
import { Background } from "./background.ts";
import { takeBack } from "./central/hand-back.ts";
import { openCentral } from "./central/open.ts";
import { openCluster } from "./cluster/open-cluster.ts";
import type { Configuration } from "./config/configuration.ts";
import { InForce } from "./config/in-force.ts";
import { openConfigSource } from "./config/open-config-source.ts";
import { wrongVSwitches } from "./config/v-switch-check.ts";
import { openDebugSocket } from "./debug-socket.ts";
import { offerDevices } from "./device-plugin/offer.ts";
import { deviceResources } from "./device-plugin/resources.ts";
import { EventLog } from "./events.ts";
import { announcePods } from "./expected-pods.ts";
import { openFailpoint } from "./failpoint.ts";
import type { Flags } from "./flags.ts";
import { GivenLeases } from "./given-leases.ts";
import { healthRoutes } from "./health.ts";
import { openHoldings } from "./holdings.ts";
import { askIdentity, believe, learnIdentity } from "./identity.ts";
import { type InstanceFacts, readFacts } from "./instance.ts";
import { keepMs } from "./keep.ts";
import { probeOnce } from "./kernel-probe.ts";
import type { Logger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { serveMetrics } from "./metrics-listener.ts";
import { chooseModes, type ModeChoice, rememberedModes, virtualTypeName } from "./mode-choice.ts";
import type { Node } from "./node.ts";
import type { NodeLink } from "./node-link.ts";
import { type NodePoolParts, type OpenedPool, openNodePool } from "./open-pool.ts";
import { OwnNode } from "./own-node.ts";
import { Pods } from "./pods.ts";
import { NodePolicy } from "./policy/node-policy.ts";
import { dormantPoolConfig } from "./pool-config.ts";
import { type PublishOptions, publish, publishWhenWarm } from "./publish.ts";
import { reconcileAll } from "./reconcile.ts";
import { readBootId, recover, writeBootId } from "./recover.ts";
import { watchRepairs } from "./repairs.ts";
import { ApiEvents } from "./report/api-events.ts";
import { capacityAnnotations } from "./report/node-capacity.ts";
import { nodeConditions } from "./report/node-conditions.ts";
import { type Reports, startReports } from "./report/reports.ts";
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
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly processId: number;
  /** As `kill -9`, for crash tests. */
  readonly kill: () => void;
}

const drainMs = 5_000;
const closeDatapathMs = 1_000;
const flushEventsMs = 1_000;
/** For the API server to name the pods of this node. Without it those that have been known to the kubelet for long run all the same. */
const podsHeardMs = 3_000;

/**
 * Runs the daemon until `stop` is aborted. Order of start: lock, journal, kernel, tombstones, socket; then the cloud, which pods that run do not need.
 * Rejects when it cannot run at all, or with InstanceChanged.
 */
export async function runDaemon(options: DaemonOptions, stop: AbortSignal): Promise<void> {
  const { flags, clock, random, log } = options;
  await mkdir(flags.runDir, { recursive: true, mode: 0o700 });
  await mkdir(flags.stateDir, { recursive: true, mode: 0o700 });
  const metrics = new Metrics();
  const cluster = await openCluster(flags.cluster, { clock, random, log });
  const ownNode = new OwnNode(cluster, flags.nodeName, flags.stateDir, clock);
  const pods = new Pods({ cluster, nodeName: flags.nodeName, clock, log });
  const { client } = cluster;
  const apiEvents =
    client === undefined
      ? undefined
      : new ApiEvents({ client, clock, log, pods, nodeName: flags.nodeName, nodeUid: () => ownNode.object?.metadata.uid });
  const events = new EventLog(clock, log, apiEvents === undefined ? {} : { further: apiEvents });
  const onBrokenConfig = (problems: readonly string[]) => {
    for (const problem of problems) log.error(problem);
    events.emit("ConfigError", { kind: "Node" }, `the configuration is not used: ${problems.join("; ")}`);
  };
  const configSource = openConfigSource({ flags, cluster, ownNode, clock, log, onBroken: onBrokenConfig });
  const configuration = await configSource.first(stop);
  if (configuration === undefined) return;
  const inForce = new InForce(configuration);
  for (const warning of configuration.warnings) log.warn(warning);
  const followLogLevel = () => {
    if (flags.logLevel === undefined) log.level = inForce.conf.logLevel ?? "info";
  };
  followLogLevel();
  const failpoint = openFailpoint(flags.failpoint, options.kill);
  const bootId = await readBootId(flags.stateDir);
  const background = new Background(stop);

  const datapath = openDatapath({ bpffs: flags.bpffs });
  const tooOld = refuseKernel(datapath.status().kernelRelease);
  if (tooOld !== undefined) throw new Error(tooOld);
  const wasExclusive = (await rememberedModes(flags.stateDir))?.node === "exclusive";
  let poolConfig = dormantPoolConfig(inForce.conf, flags.coolDownMs, wasExclusive);
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
  let link: NodeLink | undefined;
  let choice: ModeChoice | undefined;
  let kernel: KernelCapabilities | undefined;
  let symmetricRouting = "not switched yet";
  let published = false;
  let publishing: Omit<PublishOptions, "settled" | "signal"> | undefined;
  let cloud: Cloud | undefined;
  let degradation: OpenedPool["degradation"];
  let reports: Reports | undefined;
  let metadataFailure = "the instance metadata has not answered yet";
  const startedMs = clock.wallMs();
  const unopened = new UnopenedPool(() => ({
    class: "transient",
    code: "MetadataUnavailable",
    message: metadataFailure,
    sinceMs: startedMs,
  }));
  const policy = new NodePolicy({
    ...(flags.cluster === undefined ? {} : { cluster }),
    ...{ datapath, clock, log, stateDir: flags.stateDir },
    wanted: () => inForce.networkPolicy,
    report: {
      applied: (ms) => metrics.policyApplied(ms),
      full: (message) => {
        metrics.policyFull();
        events.emit("NetworkPolicyNotApplied", { kind: "Node" }, `${message}; what was in force stays`);
      },
    },
    mode: () => inForce.conf.networkPolicyEnforcingMode,
    serviceCidrs: () => inForce.conf.serviceCidrs,
    learningMs: flags.learningWindowMs,
    onUnable: (reason) => events.emit("ConfigError", { kind: "Node" }, `NetworkPolicy is not enforced on this node: ${reason}`),
  });
  const attachedPods = () =>
    node.pool.leases().flatMap((lease) => {
      const attachment = lease.state === "releasing" ? undefined : readAttachment(lease);
      return attachment === undefined ? [] : [{ attachment, sandbox: lease.sandbox }];
    });
  const node: Node = {
    clock,
    log,
    metrics,
    events,
    pods,
    pool: openHoldings(() => pool ?? unopened, given),
    datapath,
    policy,
    flight: new SingleFlight(),
    hostNames: new SingleFlight(),
    network: () => ({
      ...uplink.network(),
      securityGroupIds: poolConfig.securityGroupIds,
      localDeliveryAcrossSecurityGroups: inForce.conf.localDeliveryAcrossSecurityGroups,
      serviceCidrs: inForce.conf.serviceCidrs,
      extraRoutes: inForce.conf.extraRoutes,
    }),
    modes: () => choice?.modes,
    keepMs: (pod) => keepMs(pod, inForce.conf.statefulKinds),
    enis: (signal) => metadata.enis(signal),
    unready: () => (link === undefined ? metadataFailure : link.unready()),
    allocated: (lease) => reports?.allocated(lease),
    failpoint,
  };
  metrics.observe(
    () => node.pool,
    datapath,
    () => (poolConfig.ipv6 ? (poolConfig.ipv4 ? "dual" : "ipv6") : "ipv4"),
    () => choice?.modes,
  );

  metrics.observeDegradation(() => degradation?.level ?? "none");
  /** Said where it can happen, and until it is over. */
  const degradedCondition = () =>
    degradation !== undefined && (inForce.conf.degradation !== undefined || degradation.reason !== "")
      ? degradationCondition("CloudDegraded", degradation.level, degradation.reason)
      : undefined;
  metrics.observePolicy(datapath, policy, () => choice?.modes.fastPath === true);

  const tombstones = new Tombstones(node, join(flags.runDir, "tombstones"));
  const openNode = async (facts: InstanceFacts) => {
    const poolParts: NodePoolParts = {
      ...{ flags, clock, random, log, metrics, events, metadata, datapath, failpoint, bootId: bootId.current },
      conf: () => inForce.conf,
      poolConfig: () => poolConfig,
      onPoolConfig: (config) => {
        poolConfig = config;
      },
    };
    const opened = inForce.started.conf.centralizedIpam
      ? await openCentral(facts, { ...poolParts, cluster, pods, background })
      : await takeBack(cluster, { ...{ clock, log }, name: flags.nodeName, stateDir: flags.stateDir }).then((outdated) =>
          openNodePool(facts, poolParts, outdated),
        );
    pool = opened.pool;
    cloud = opened.cloud;
    degradation = opened.degradation;
    await policy.open();
    const { problems, ...counts } = await recover(node, bootId);
    await policy.adopt(attachedPods());
    background.run("NetworkPolicy", (signal) => policy.run(attachedPods, signal));
    await writeBootId(flags.stateDir);
    for (const problem of problems) log.warn(problem);
    log.info(counts, "recovered");
    await tombstones.start();
    const { stateDir, cniConfDir } = flags;
    kernel = await probeOnce(datapath, stateDir, bootId.current);
    const decided = await chooseModes({
      ...{ stateDir, eniConf: inForce.conf, cniConf: inForce.started.cniConf, log, events },
      labels: await ownNode.labels(),
      kernel,
      leases: node.pool.leases(),
      openPrograms: () => datapath.policy.open(),
    });
    choice = decided;
    publishing = { node, source: () => inForce.conflist, cniConfDir, virtualType: virtualTypeName(decided.modes) };
    const toPublish = publishing;
    const newLink = opened.openLink(decided.modes);
    link = newLink;
    const settled = Promise.all([newLink.settled, Promise.race([pods.synced, clock.sleep(podsHeardMs)])]);
    // Objects in a directory may stand there without a sandbox ever coming.
    if (cluster.complete) announcePods(pods, node.pool, stop);
    background.run("the link to the cloud", (signal) => newLink.run(signal));
    background.run("the conflist", async (signal) => {
      published = await publishWhenWarm({ ...toPublish, settled, signal });
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
    kernel: () => kernel,
    symmetricRouting: () => symmetricRouting,
    pending: () => inForce.pending,
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
      wanted: inForce.started.cniConf.symmetricRouting,
      onState: (state) => {
        symmetricRouting = state;
      },
    }),
  );
  background.run("the sweep", (signal) => sweep(node, signal));
  background.run("the watch over the node's interface", (signal) => uplink.watch(clock, signal));
  const onChangedConfig = async (changed: Configuration, signal: AbortSignal) => {
    const wrong = cloud && link && (await wrongVSwitches(cloud, link.facts.identity.zoneId, inForce.conf, changed.conf, signal));
    if (wrong !== undefined && wrong.length > 0) return onBrokenConfig(wrong);
    for (const warning of changed.warnings) log.warn(warning);
    const waits = inForce.take(changed);
    if (waits.length > 0)
      events.emit("ConfigError", { kind: "Node" }, `${waits.join(", ")}: the change waits until terwayd is started again`);
    followLogLevel();
    log.info({ pending: inForce.pending }, "configuration changed");
    link?.reconfigure();
    if (published && publishing !== undefined) await publish(publishing);
  };
  background.run("the watch over the configuration", (signal) => {
    const inOrder = new SingleFlight();
    let number = 0;
    return configSource.follow(
      {
        onChange: (changed) => {
          number++;
          inOrder
            .run("change", String(number), () => onChangedConfig(changed, signal))
            .catch((error: unknown) => {
              log.error({ err: error }, "the changed configuration is not in force");
            });
        },
        onBroken: onBrokenConfig,
      },
      signal,
    );
  });
  if (client !== undefined) {
    const ofInstance = <T>(of: (limits: InstanceLimits, modes: NodeModes) => T): T | undefined => {
      const limits = link?.facts.limits;
      return limits && choice && of(limits, choice.modes);
    };
    if (inForce.conf.devicePlugin) {
      const wanted = () => ofInstance((limits, { trunk }) => deviceResources(poolConfig, limits, trunk));
      const offer = { directory: flags.devicePluginDir, wanted, clock, log };
      background.run("the devices", (signal) => offerDevices(offer, signal));
    }
    reports = startReports({
      ...{ client, clock, random, log, events, background, ownNode, pods },
      leases: () => node.pool.leases(),
      patchPodIps: () => inForce.conf.patchPodIps,
      conditions: () => nodeConditions(node.pool.view(), published, policy.condition(), degradedCondition()),
      capacity: () => ofInstance((limits, { trunk }) => capacityAnnotations(poolConfig, limits, trunk)),
      reconcile: () => reconcileAll(node),
    });
  }
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
    await reports?.stop();
    if (apiEvents !== undefined) await Promise.race([apiEvents.flush(), clock.sleep(flushEventsMs)]);
    await cluster.close();
    await node.pool.close();
    await datapath.close(closeDatapathMs);
    log.info("stopped");
  }
}
