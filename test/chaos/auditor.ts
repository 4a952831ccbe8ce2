import { setTimeout as sleep } from "node:timers/promises";
import type { KubernetesCluster } from "@terway/lab";
import { nodeObject } from "../cluster/central.ts";
import { liveSandboxes } from "./sandboxes.ts";

const periodMs = 1_500;

/**
 * Looks all the time, and believes only what it asks itself: no address is in two pods' network namespaces (the kernels), bound to two pods or twice on
 * a node's object (the API server), or on two ENIs (the cloud).
 */
export class Auditor {
  readonly wrong = new Set<string>();
  looks = 0;
  mostSandboxes = 0;
  readonly #cluster: KubernetesCluster;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(cluster: KubernetesCluster) {
    this.#cluster = cluster;
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Resolves after one last look. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#look();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#look();
      await sleep(periodMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    try {
      await this.#sandboxes();
      await this.#objects();
      for (const violation of await this.#cluster.lab.cloud.violations()) this.wrong.add(`cloud: ${JSON.stringify(violation)}`);
      this.looks += 1;
    } catch (error) {
      this.wrong.add(`the auditor could not look: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #sandboxes(): Promise<void> {
    const sandboxes = await liveSandboxes(this.#cluster);
    this.mostSandboxes = Math.max(this.mostSandboxes, sandboxes.filter(({ addresses }) => addresses.length > 0).length);
    const holders = new Map<string, string>();
    for (const { node, group, addresses } of sandboxes) {
      for (const address of addresses) {
        const other = holders.get(address);
        if (other !== undefined) this.wrong.add(`${address} is in two live sandboxes: ${other} and ${node} ${group}`);
        holders.set(address, `${node} ${group}`);
      }
    }
  }

  async #objects(): Promise<void> {
    const holders = new Map<string, string>();
    for (const { on } of this.#cluster.nodes) {
      const nics = (await nodeObject(this.#cluster.client, on.name))?.status?.networkInterfaces ?? {};
      for (const nic of Object.values(nics)) {
        for (const { ip, podID, podUID } of [...Object.values(nic.ipv4 ?? {}), ...Object.values(nic.ipv6 ?? {})]) {
          if (!podID) continue;
          const other = holders.get(ip);
          const holder = `${podID} (${podUID}) on ${on.name}`;
          if (other !== undefined) this.wrong.add(`${ip} is bound to ${other} and to ${holder}`);
          holders.set(ip, holder);
        }
      }
    }
  }
}
