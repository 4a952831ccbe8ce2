import { setTimeout as sleep } from "node:timers/promises";
import { deletePod, type KubernetesCluster, listPods, podsGone, podsReady } from "@terway/lab";
import { SeededRandom } from "@terway/model/testing";
import { remains } from "../cluster/agreement.ts";
import { bindings, centralDisagreements, installDefinitions, nodeObject, startDaemons } from "../cluster/central.ts";
import { addressesOf, createNamespace } from "../cluster/objects.ts";
import { Auditor } from "./auditor.ts";
import { type Churned, churn } from "./churn.ts";
import { faultsFor, type Struck } from "./faults.ts";
import { Replicas } from "./replicas.ts";

export interface ChaosOptions {
  readonly seconds: number;
  readonly pods: number;
  readonly least: number;
  readonly most: number;
  readonly seed: number;
}

export interface ChaosOutcome {
  readonly kills: number;
  readonly endedByThemselves: number;
  readonly faults: Struck;
  readonly pods: Churned;
  readonly audit: { readonly looks: number; readonly mostSandboxes: number };
  /** From the end of faults and kills until every pod was Ready and all agreed. */
  readonly recoveredMs: number;
  /** What the auditor found at any time, contradictions after recovery, and what pods left; empty when all is well. */
  readonly wrong: readonly string[];
}

const recoverWithinMs = 300_000;

/** Two replicas of the control plane killed at random while pods come and go and the cloud fails in every way; then everything is compared with everything. */
export async function runChaos(cluster: KubernetesCluster, options: ChaosOptions, say: (line: string) => void): Promise<ChaosOutcome> {
  const { client, nodes, lab } = cluster;
  const random = new SeededRandom(options.seed);
  const forMs = options.seconds * 1000;
  await installDefinitions(client);
  const replicas = new Replicas(cluster, random);
  await replicas.start();
  await startDaemons(cluster, "crd");
  const namespace = await createNamespace(cluster, "chaos");
  const auditor = new Auditor(cluster);
  auditor.start();
  say(`${options.pods} pods come and go for ${options.seconds} s`);
  const [faults, pods] = await Promise.all([
    faultsFor(cluster, random, forMs),
    churn(cluster, namespace, random, { ...options, forMs }),
    replicas.killFor(forMs),
  ]);
  say(`${replicas.kills} kills; waiting until all agree`);
  const endedMs = performance.now();
  const wrong: string[] = [];
  const there = (await listPods(client, namespace)).length;
  let alive: readonly string[] = [];
  try {
    alive = addressesOf(await podsReady(client, namespace, there, recoverWithinMs));
  } catch (error) {
    wrong.push(`not recovered: ${error instanceof Error ? error.message : String(error)}`);
  }
  wrong.push(...(await settled(() => centralDisagreements(cluster, [namespace]), 120)));
  const recoveredMs = performance.now() - endedMs;

  for (const { metadata } of await listPods(client, namespace)) await deletePod(client, namespace, metadata.name, 0);
  await podsGone(client, namespace, recoverWithinMs);
  wrong.push(...(await settled(() => remains(cluster, alive), 120)));
  wrong.push(...(await settled(() => leaks(cluster), 300)));
  await replicas.leave();
  await auditor.stop();
  wrong.unshift(...auditor.wrong);
  for (const { on } of nodes) {
    const bytes = JSON.stringify((await nodeObject(client, on.name)) ?? {}).length;
    if (bytes > 256 * 1024) wrong.push(`Node ${on.name} has ${bytes} bytes`);
  }
  wrong.push(...(await lab.cloud.violations()).map((violation) => `cloud: ${JSON.stringify(violation)}`));
  const { looks, mostSandboxes } = auditor;
  return {
    ...{ kills: replicas.kills, endedByThemselves: replicas.ended, faults, pods, audit: { looks, mostSandboxes }, recoveredMs },
    wrong: [...new Set(wrong)],
  };
}

/** Without pods: what the cloud has and the Node objects do not, or the other way round; intents that are still open; bindings. */
async function leaks(cluster: KubernetesCluster): Promise<string[]> {
  const { client, nodes, lab } = cluster;
  const found: string[] = [];
  const { enis } = await lab.cloud.state();
  const known = new Set<string>();
  for (const { on } of nodes) {
    const bound = Object.entries(await bindings(client, on.name));
    for (const [pod, addresses] of bound) found.push(`Node ${on.name} binds ${addresses.join()} to ${pod}, which is gone`);
    for (const nic of Object.values((await nodeObject(client, on.name))?.status?.networkInterfaces ?? {})) {
      known.add(nic.id);
      for (const name of Object.keys(nic.conditions ?? {}))
        if (name.startsWith("Intent.")) found.push(`Node ${on.name}: ${nic.id} has ${name}`);
      const inCloud = enis.find(({ id }) => id === nic.id);
      const listed = (family: typeof nic.ipv4) => Object.keys(family ?? {}).toSorted();
      if (inCloud === undefined) found.push(`Node ${on.name} has ${nic.id}, and the cloud has not`);
      else if (inCloud.instanceId !== on.machine.instanceId) found.push(`${nic.id} of Node ${on.name} is on ${inCloud.instanceId}`);
      else if (listed(nic.ipv4).join() !== inCloud.ipv4.toSorted().join() || listed(nic.ipv6).join() !== inCloud.ipv6.toSorted().join())
        found.push(
          `${nic.id}: Node ${on.name} has ${[...listed(nic.ipv4), ...listed(nic.ipv6)]}, the cloud ${[...inCloud.ipv4, ...inCloud.ipv6]}`,
        );
    }
  }
  for (const { id, type, status } of enis)
    if (type !== "Primary" && !known.has(id)) found.push(`the cloud has ${id} (${status}), and no Node object does`);
  return found;
}

/** What is wrong after the time that it may take; empty as soon as it is nothing. */
async function settled(check: () => Promise<string[]>, seconds: number): Promise<string[]> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const found = await check();
    if (found.length === 0 || performance.now() > end) return found;
    await sleep(1000);
  }
}
