import { assumeOidcRole, openCloud, openCredentials, openMetadata } from "@terway/cloud";
import { openClient } from "@terway/kube";
import type { Clock, Random } from "@terway/model";
import { CertificateKeeper } from "./certificate/keeper.ts";
import { informersSynced, startInformers, stopInformers } from "./cluster/informers.ts";
import { followDegradation, readConfiguration } from "./config/config-files.ts";
import { controllers } from "./controllers.ts";
import { DegradationLevels } from "./degradation/levels.ts";
import { openDegradationReport } from "./degradation/node-report.ts";
import type { Flags } from "./flags.ts";
import { openInvalidObjects } from "./invalid/invalid-objects.ts";
import type { Logger } from "./log.ts";
import { whileLeading } from "./runtime/leadership.ts";
import { serveProbes } from "./runtime/listeners.ts";
import { Metrics } from "./runtime/metrics.ts";
import type { ControllerParts } from "./runtime/parts.ts";
import { selectControllers } from "./runtime/registry.ts";
import { VSwitches } from "./runtime/v-switches.ts";
import { WebhookServer } from "./webhook/webhook.ts";

export interface ProgramOptions {
  readonly flags: Flags;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Calls of the cloud under way at once: many pods wait for theirs, and none of them holds a worker. */
const cloudCallsAtOnce = 64;

/** Runs until `stop` is aborted. Rejects when it cannot run, or leads no more. */
export async function runControlPlane({ flags, clock, random, log }: ProgramOptions, stop: AbortSignal): Promise<void> {
  const { config, secret, warnings } = await readConfiguration(flags);
  for (const warning of warnings) log.warn(warning);
  const selected = selectControllers(controllers, config.controllers);
  const metrics = new Metrics();
  const degradation = new DegradationLevels(clock, config.degradation);
  degradation.listen(() => log.warn({ level: degradation.level }, `degradation: ${degradation.reason}`));
  metrics.degradation(() => degradation.level);

  const { ecs, vpc, sts, metadata: metadataEndpoint } = flags.endpoints;
  const metadata = openMetadata({ clock, random, ...(metadataEndpoint === undefined ? {} : { endpoint: new URL(metadataEndpoint) }) });
  const regionId = config.regionId ?? (await metadata.identity(stop)).regionId;
  const { oidcRole } = flags;
  const assume = { clock, random, regionId, ...(sts === undefined ? {} : { endpoint: new URL(sts) }) };
  const credentials = openCredentials({
    ...{ clock, metadata },
    ...(oidcRole === undefined ? {} : { oidcRole: () => assumeOidcRole(oidcRole, assume) }),
    accessKey: () => secret.accessKey,
    credentialPath: () => secret.credentialPath,
  });
  const cloud = openCloud({
    ...{ regionId, credentials, clock, random, callsAtOnce: cloudCallsAtOnce },
    endpoints: { ...(ecs === undefined ? {} : { ecs: new URL(ecs) }), ...(vpc === undefined ? {} : { vpc: new URL(vpc) }) },
    rateLimits: () => config.rateLimits,
    degradation: () => degradation.forCall(),
    onOutcome: (error) => degradation.record(error),
    onCall: ({ action, durationMs, errorCode }) => metrics.called(action, errorCode !== undefined, durationMs),
  });

  const vSwitches = new VSwitches({ cloud, clock, random, lifeMs: config.vSwitchLifeMs, most: config.vSwitchPoolSize });
  const client = await openClient(flags.api, "terway-controlplane");
  const informers = startInformers({ client, clock, random, log });
  let synced = false;
  const webhook = config.webhookPort === undefined ? undefined : new WebhookServer({ config, informers, vSwitches, clock, log, metrics });
  const unready = () => {
    if (stop.aborted) return "stopping";
    if (!synced) return "the objects of the cluster are not known yet";
    return webhook === undefined || webhook.serves ? undefined : "the webhooks have no certificate yet";
  };
  const { healthz, metrics: metricsListen } = config;
  const closeProbes = await serveProbes({
    ...{ healthz, registry: metrics.registry, unready },
    ...(metricsListen === undefined ? {} : { metrics: metricsListen }),
  });
  void followDegradation(flags.config, { clock, log, onChange: (changed) => degradation.configure(changed) }, stop);

  const parts: ControllerParts = { config, client, informers, cloud, vSwitches, clock, random, log, metrics };
  const running = [...selected.map(({ open }) => open(parts)), openDegradationReport(parts, degradation), openInvalidObjects(parts)];
  let leads = false;
  const lead = async () => {
    leads = true;
    await informersSynced(informers);
    if (stop.aborted) return;
    metrics.leads(true);
    for (const controller of running) controller.start();
    log.info({ controllers: running.map(({ name }) => name) }, "controllers run");
  };
  informersSynced(informers).then(
    () => {
      synced = true;
    },
    () => {},
  );
  if (webhook !== undefined) {
    const keeper = new CertificateKeeper({
      ...{ client, clock, log, namespace: config.namespace, name: config.name, clusterDomain: config.clusterDomain },
      leads: () => leads || !config.leaderElection,
      onCertificate: (pair) => {
        // What a webhook answers before it knows the cluster would be wrong.
        informersSynced(informers)
          .then(() => webhook.use(pair))
          .catch((error: unknown) => log.error({ err: error }, "the webhooks are not served"));
      },
    });
    void keeper.run(stop);
  }
  const identity = `${flags.identity}_${random.uuid()}`;
  log.info({ identity, regionId }, "started");
  try {
    await whileLeading({ client, clock, log, config, identity }, lead, stop);
  } finally {
    // Also what leads no more ends its work before the process does; it is not waited for longer than the lease's new holder waits.
    await Promise.race([Promise.all(running.map((controller) => controller.stop())), clock.sleep(config.lease.retryMs)]);
    await webhook?.close();
    await stopInformers(informers);
    await closeProbes();
    log.info("stopped");
  }
}
