import { inNetNamespace, type KubernetesCluster, listPods, podTraces, run, strayAddresses } from "@terway/lab";

/**
 * Where the API, the daemon's journal, the kernel and the simulated cloud do not say the same of the addresses of these namespaces' pods; empty when
 * they do. Each is asked itself: the API for its objects, the kernel for its routes, the cloud for its ENIs.
 */
export async function disagreements(cluster: KubernetesCluster, namespaces: readonly string[]): Promise<string[]> {
  const pods = (await Promise.all(namespaces.map((namespace) => listPods(cluster.client, namespace)))).flat();
  const { enis } = await cluster.lab.cloud.state();
  const found: string[] = (await cluster.lab.cloud.violations()).map((violation) => `cloud: ${JSON.stringify(violation)}`);
  for (const { on } of cluster.nodes) {
    const mapping = await on.mapping();
    for (const { object, problem } of mapping.mismatches) found.push(`${on.name}: ${object}: ${problem}`);
    const own = pods.filter((pod) => pod.spec.nodeName === on.name);
    const inCloud = new Set(enis.filter((eni) => eni.instanceId === on.machine.instanceId).flatMap((eni) => [...eni.ipv4, ...eni.ipv6]));
    const routes = await kernelRoutes(on.machine.netns);
    for (const { metadata, status } of own) {
      const name = `${metadata.namespace}/${metadata.name}`;
      const inApi = status.podIPs.map(({ ip }) => ip).toSorted();
      const leases = mapping.leases.filter((lease) => lease.pod === name).flatMap((lease) => lease.addresses);
      if (inApi.join() !== leases.toSorted().join()) found.push(`${name}: API ${inApi.join()}, journal ${leases.join()}`);
      for (const address of inApi) {
        if (!inCloud.has(address)) found.push(`${name}: the cloud does not have ${address} on ${on.name}`);
        if (!routes.has(address)) found.push(`${name}: ${on.name} has no route to ${address}`);
      }
    }
    const names = new Set(own.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
    for (const lease of mapping.leases) if (!names.has(lease.pod)) found.push(`${on.name}: a lease of ${lease.pod}, which is not there`);
  }
  return found;
}

/** What pods that are gone have left on the nodes and in the cloud; empty when it is nothing. */
export async function remains(cluster: KubernetesCluster, addresses: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const { on } of cluster.nodes) {
    const checks = [...(await podTraces(on, addresses)), ...(await strayAddresses(cluster.lab, on))];
    for (const { what, found: lines } of checks) for (const line of lines) found.push(`${on.name}: ${what}: ${line}`);
  }
  return found;
}

/** Destinations of every route of the namespace. */
async function kernelRoutes(netns: string): Promise<Set<string>> {
  const { stdout } = await run(inNetNamespace(netns, ["sh", "-c", "ip -4 route show table all; ip -6 route show table all"]));
  return new Set(stdout.split("\n").map((line) => line.replace(/^(unicast|local) /, "").split(" ")[0] ?? ""));
}
