import { setTimeout as sleep } from "node:timers/promises";
import { attachedLines, createPod, deletePod, type KubernetesCluster, listPods, pins, podsReady, strayPins, until } from "@terway/lab";
import { disagreements, remains } from "../cluster/agreement.ts";
import { addressesOf, createNamespace, listEvents } from "../cluster/objects.ts";
import { PodTimes } from "./pod-times.ts";

export interface ScaleOptions {
  readonly pods: number;
  /** At most so many at once. */
  readonly perWave: number;
  /** How long the cloud is listened to when all is done, for calls that come by themselves; 0: nobody waits for the pools to come to rest either. */
  readonly quietMs: number;
}

/** Calls of the OpenAPI by operation. */
type Calls = Readonly<Record<string, number>>;

export interface Wave {
  /** From the API call that creates a pod to its phase Running, for each pod. */
  readonly runningMs: readonly number[];
  /** What the daemon needed for the ADD of each pod, in the same order. */
  readonly addMs: readonly number[];
  /** From the first delete until no pod is left. */
  readonly goneMs: number;
}

export interface ScaleOutcome {
  readonly waves: readonly Wave[];
  /** From the first pod until the pool is within its bounds again. */
  readonly calls: Calls;
  /** Of those, what changes something in the cloud, for each pod. */
  readonly writesPerPod: number;
  /** Of the daemons, to the API server. */
  readonly requestsPerPod: number;
  /** While nothing happened. */
  readonly quietCalls: Calls;
  /** Sandboxes that the runtime could not make at the first try, with what it said: on a machine that stalls for 10 s an ADD ends without an answer. */
  readonly failedSandboxes: readonly string[];
  /** What pods have left, and where API, journal, kernel and cloud contradict each other; empty when all is well. */
  readonly wrong: readonly string[];
}

const patienceMs = 240_000;

/** Pods created and deleted in waves, placed by the scheduler; after each wave and at the end everything is compared with everything. */
export async function runWaves(cluster: KubernetesCluster, options: ScaleOptions, say: (line: string) => void): Promise<ScaleOutcome> {
  const { client, lab, nodes, plane } = cluster;
  const namespace = await createNamespace(cluster, "scale");
  const pinned = await Promise.all(nodes.map(({ on }) => pins(on)));
  const before = await callsOf(cluster);
  const asked = (await plane.daemonRequests()).length;
  const times = new PodTimes(client, namespace);
  await times.start();
  const waves: Wave[] = [];
  const used: string[] = [];
  const wrong: string[] = [];
  try {
    for (let done = 0; done < options.pods; ) {
      const names = Array.from({ length: Math.min(options.perWave, options.pods - done) }, (_, index) => `p${done + index}`);
      const { wave, addresses, found } = await runWave(cluster, namespace, names, times);
      done += names.length;
      waves.push(wave);
      used.push(...addresses);
      wrong.push(...found);
      const slowest = Math.max(...wave.runningMs);
      say(
        `${done} of ${options.pods} pods; the slowest of this wave ran after ${(slowest / 1000).toFixed(1)} s, all gone in ${(wave.goneMs / 1000).toFixed(1)} s`,
      );
    }
  } finally {
    await times.stop();
  }
  const requestsPerPod = ((await plane.daemonRequests()).length - asked) / options.pods;
  const failed = await listEvents(client, namespace, "FailedCreatePodSandBox");
  const failedSandboxes = failed.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`);
  const left = async () => {
    const strays = await Promise.all(nodes.map(({ on }, index) => strayPins(on, pinned[index] ?? [])));
    return [...(await remains(cluster, used)), ...strays.flatMap(({ what, found }) => found.map((pin) => `${what}: ${pin}`))];
  };
  wrong.push(...(await settled(left)));
  wrong.push(...(await lab.cloud.violations()).map((violation) => `cloud: ${JSON.stringify(violation)}`));
  if (options.quietMs > 0)
    say(`waiting for the pools to come to rest, then listening for ${options.quietMs / 1000} s to what comes by itself`);
  const calls = difference(await (options.quietMs > 0 ? atRest(cluster) : callsOf(cluster)), before);
  const start = await callsOf(cluster);
  await sleep(options.quietMs);
  const quietCalls = difference(await callsOf(cluster), start);
  return { waves, calls, writesPerPod: writes(calls) / options.pods, requestsPerPod, quietCalls, failedSandboxes, wrong };
}

async function runWave(cluster: KubernetesCluster, namespace: string, names: readonly string[], times: PodTimes) {
  const { client, nodes } = cluster;
  const created = new Map<string, number>();
  await Promise.all(
    names.map((name) => {
      created.set(name, performance.now());
      return createPod(client, { namespace, name });
    }),
  );
  const pods = await podsReady(client, namespace, names.length, patienceMs);
  const found = await settled(() => disagreements(cluster, [namespace]));
  const adds = new Map((await Promise.all(nodes.map(({ on }) => attachedLines(on.node)))).flat().map(({ pod, ms }) => [pod, ms]));
  const ofAll = (value: (name: string) => number | undefined) =>
    names.map((name) => value(name) ?? fail(`${namespace}/${name} was Ready, but what is measured of it is not known`));
  const runningMs = ofAll((name) => {
    const [from, to] = [created.get(name), times.runningMs.get(name)];
    return from === undefined || to === undefined ? undefined : to - from;
  });
  const addMs = ofAll((name) => adds.get(`${namespace}/${name}`));
  const started = performance.now();
  // By turns with and without time to end.
  await Promise.all(names.map((name, index) => deletePod(client, namespace, name, index % 2 === 0 ? 0 : undefined)));
  await until(
    `the pods of ${namespace} are gone`,
    patienceMs,
    async () => times.count === 0 || (await listPods(client, namespace)).length === 0,
  );
  return { wave: { runningMs, addMs, goneMs: performance.now() - started }, addresses: addressesOf(pods), found };
}

/** What is wrong after the time that the last DELs and events may take; empty as soon as it is nothing. */
async function settled(check: () => Promise<string[]>): Promise<string[]> {
  let found = await check();
  for (let tries = 0; found.length > 0 && tries < 60; tries += 1) {
    await sleep(1000);
    found = await check();
  }
  return found;
}

/** The calls so far once there has been none for longer than released addresses rest. */
async function atRest(cluster: KubernetesCluster): Promise<Calls> {
  const restMs = 40_000;
  let calls = await callsOf(cluster);
  let sinceMs = performance.now();
  while (performance.now() - sinceMs < restMs) {
    await sleep(1000);
    const now = await callsOf(cluster);
    if (writes(now) !== writes(calls)) sinceMs = performance.now();
    calls = now;
  }
  return calls;
}

async function callsOf({ lab }: KubernetesCluster): Promise<Calls> {
  return Object.fromEntries(Object.entries(await lab.cloud.counters()).map(([action, { calls }]) => [action, calls]));
}

function difference(after: Calls, before: Calls): Calls {
  const entries = Object.entries(after).map(([action, calls]) => [action, calls - (before[action] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, calls]) => calls > 0));
}

function writes(calls: Calls): number {
  return Object.entries(calls).reduce((sum, [action, count]) => sum + (action.startsWith("Describe") ? 0 : count), 0);
}

function fail(message: string): never {
  throw new Error(message);
}
