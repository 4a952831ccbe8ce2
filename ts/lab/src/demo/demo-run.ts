import { KubernetesCluster } from "../kubernetes/cluster.ts";
import { ClusterNode, terwaydConfig } from "../lab/cluster-node.ts";
import { Lab } from "../lab/lab.ts";
import { defaultPlan } from "../lab/plan.ts";
import { containerRuntime, missingFiles } from "../node/runtime.ts";
import type { DemoOptions } from "./demo-options.ts";
import { removeKubernetesPods, startKubernetesPods } from "./kubernetes-pods.ts";
import { lookAround } from "./look-around.ts";
import { type Endpoint, renderFailures, renderMatrix, renderSummary } from "./matrix.ts";
import { awaitServers, measureMatrix } from "./measure.ts";
import { type DemoPod, podEndpoint, renderPods, startPods } from "./pods.ts";
import type { Progress } from "./progress.ts";
import { type Check, pins, podTraces, strayAddresses, strayPins } from "./proof.ts";

const podsPerNode = 3;
/** Free addresses that each node keeps at least and at most. */
const pool = { min: 4, max: 8 };

/** The demo's story from the empty machine to the proof that pods leave nothing behind. Removing the lab itself is the caller's part. */
export class DemoRun {
  readonly #options: DemoOptions;
  /** Every address and MAC that was used, to look for afterwards. */
  readonly used: string[] = [];

  constructor(options: DemoOptions) {
    this.#options = options;
  }

  /** True when everything held; throws when a step failed. */
  async run(progress: Progress): Promise<boolean> {
    const { id, mode, kubernetes } = this.#options;
    const runtime = containerRuntime(this.#options.runtime);
    const missing = await missingFiles(runtime);
    if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; npm run bootstrap installs them`);

    progress.say("\nThe demo:");
    const plan = defaultPlan();
    const lab = await progress.step("VPC with cloud API, metadata and three machines", () => Lab.create(id, plan));
    const cluster = kubernetes
      ? await progress.step("Kubernetes control plane, two nodes with kubelet", () =>
          KubernetesCluster.start(lab, { plan, runtime, proxy: "nftables" }),
        )
      : undefined;
    const nodes =
      cluster?.nodes.map(({ on }) => on) ??
      (await progress.step("two nodes with containerd", async (note) => {
        const started = await Promise.all(lab.world.nodes.map((machine) => ClusterNode.start(lab, machine, runtime)));
        note((await started[0]?.containerd.cri.version())?.runtimeVersion ?? "");
        return started;
      }));
    await progress.step("terwayd: pools warm, nodes ready", async (note) => {
      await (cluster?.startTerway(pool) ?? startTerway(lab, nodes));
      const { enis } = await lab.cloud.state();
      note(`${enis.filter((eni) => eni.type === "Secondary").length} ENIs attached`);
    });
    const nodePins = new Map(await Promise.all(nodes.map(async (on) => [on, await pins(on)] as const)));
    const pods = await progress.step(`${podsPerNode * nodes.length} pods`, async () => {
      if (cluster !== undefined) return startKubernetesPods(cluster, podsPerNode);
      const started = await Promise.all(nodes.map((on) => startPods(on, podsPerNode)));
      return started.flat();
    });
    for (const { name, netns, primary } of lab.world.nodes) {
      await lab.serve(name, netns);
      this.used.push(primary.mac, primary.ipv4, primary.ipv6);
    }
    for (const pod of pods) this.used.push(pod.ipv4, pod.ipv6);
    const endpoints = endpointsOf(lab, pods);
    const measurements = await progress.step("measure every path between them", async (note) => {
      await awaitServers(lab.agent, endpoints);
      const measured = await measureMatrix(lab.agent, endpoints);
      note(`${measured.length} probes`);
      return measured;
    });

    progress.say(`\n${await renderPods(nodes, pods, cluster === undefined ? "sandbox" : "all Ready")}\n`);
    const start =
      cluster === undefined
        ? "sandbox: the whole RunPodSandbox call, as a kubelet waits for it"
        : "all Ready: from the creation of the Pods until the last was Ready";
    progress.say(`ADD: the CNI call as terwayd served it; ${start}.\n`);
    progress.say(
      `Answered probes (TCP, UDP and ICMP, each over IPv4 and IPv6), as measured:\n\n${renderMatrix(endpoints, measurements)}\n`,
    );
    progress.say(`${renderSummary(measurements)}\n`);
    const failures = renderFailures(measurements);
    for (const failure of failures) progress.say(`  no answer: ${failure}`);
    const violations = await lab.cloud.violations();
    for (const violation of violations) progress.say(`  the cloud's state is wrong: ${JSON.stringify(violation)}`);
    const held = failures.length === 0 && violations.length === 0;
    if (mode === "keep" && held) {
      await lab.keep();
      progress.say(lookAround(lab, nodes, pods));
      return true;
    }
    return (await takeDown(progress, lab, { nodes, pods, nodePins, ...(cluster === undefined ? {} : { cluster }) })) && held;
  }
}

async function startTerway(lab: Lab, nodes: readonly ClusterNode[]): Promise<void> {
  await Promise.all(
    nodes.map(async (on) => {
      await on.install(terwaydConfig(lab.world, on.machine, pool));
      await on.startDaemon();
      await on.warm(60_000);
    }),
  );
}

/** Takes the pods and the nodes away in order, and looks each time for what should be gone. */
async function takeDown(
  progress: Progress,
  lab: Lab,
  {
    nodes,
    pods,
    nodePins,
    cluster,
  }: {
    nodes: readonly ClusterNode[];
    pods: readonly DemoPod[];
    nodePins: ReadonlyMap<ClusterNode, readonly string[]>;
    cluster?: KubernetesCluster;
  },
): Promise<boolean> {
  const checks: Check[] = [];
  await progress.step("remove the pods", async (note) => {
    if (cluster !== undefined) await removeKubernetesPods(cluster, pods);
    else await Promise.all(nodes.map((on) => removeAll(on, pods)));
    const addresses = pods.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
    for (const on of nodes) {
      checks.push(...(await podTraces(on, addresses)), await strayPins(on, nodePins.get(on) ?? []), ...(await strayAddresses(lab, on)));
    }
    note(`left of them: ${summary(checks)}`);
  });
  await progress.step("stop terwayd, give the machines back to the cloud", async (note) => {
    await Promise.all(nodes.map((on) => on.stopDaemon()));
    for (const on of nodes) {
      on.containerd.cri.close();
      await on.node.stop();
    }
    for (const { instanceId } of [...lab.world.nodes, ...(lab.world.elsewhere === undefined ? [] : [lab.world.elsewhere])]) {
      await lab.cloud.command("releaseInstance", { id: instanceId });
    }
    // The pools' ENIs go with their machines, as those that a client leaves on an instance do in the cloud.
    const { enis } = await lab.cloud.state();
    checks.push({ what: "ENIs in the cloud", found: enis.map((eni) => `${eni.id} ${eni.status}`) });
    note(`${enis.length} ENIs left in the cloud`);
  });
  const found = checks.filter((check) => check.found.length > 0);
  for (const { what, found: lines } of found) for (const line of lines) progress.say(`  still there (${what}): ${line}`);
  return found.length === 0;
}

async function removeAll(on: ClusterNode, pods: readonly DemoPod[]): Promise<void> {
  for (const pod of pods) if (pod.on === on) await on.removePod(pod);
}

function endpointsOf(lab: Lab, pods: readonly DemoPod[]): Endpoint[] {
  const machine = (kind: "node" | "elsewhere", { name, netns, primary }: Lab["world"]["nodes"][number]): Endpoint => {
    return { name, kind, node: kind === "node" ? name : undefined, ipv4: primary.ipv4, ipv6: primary.ipv6, netns };
  };
  const { nodes, elsewhere } = lab.world;
  return [
    ...pods.map(podEndpoint),
    ...nodes.map((node) => machine("node", node)),
    ...(elsewhere === undefined ? [] : [machine("elsewhere", elsewhere)]),
  ];
}

/** `0 links, 0 routes, …`, over all nodes. */
function summary(checks: readonly Check[]): string {
  const counts = new Map<string, number>();
  for (const { what, found } of checks) counts.set(what, (counts.get(what) ?? 0) + found.length);
  return [...counts].map(([what, count]) => `${count} ${what}`).join(", ");
}
