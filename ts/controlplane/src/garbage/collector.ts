import { read } from "@terway/kube";
import type { NetworkInterface } from "@terway/model";
import { networkInterfaces, podEnis } from "../cluster/kinds.ts";
import { eniTags } from "../cluster/marks.ts";
import { remove } from "../cluster/write.ts";
import { intentOf } from "../pod/intent.ts";
import { trunkReferences } from "../pod-eni/trunks.ts";
import type { Controller } from "../runtime/controller.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import { leakedEnis, Observations, type References } from "./leaked.ts";

/** Between two looks, and so between two observations of the same. */
const periodMs = 10 * 60_000;

export type GarbageParts = Pick<ControllerParts, "client" | "cloud" | "clock" | "log"> & {
  readonly config: { readonly clusterId: string };
  readonly informers: Pick<ControllerParts["informers"], "podEnis" | "networkInterfaces" | "nodes">;
};

/** Finds ENIs of pods that nothing refers to any more, and NetworkInterfaces whose PodENI is gone, and removes what it has seen twice. */
export function openGarbageCollector(parts: GarbageParts): Controller & { round(signal: AbortSignal): Promise<readonly string[]> } {
  const { informers, client, cloud, clock, log, config } = parts;
  const enis = new Observations();
  const orphans = new Observations();
  const stop = new AbortController();
  let running: Promise<void> | undefined;

  /** One look; answers what was removed. */
  async function round(signal: AbortSignal): Promise<readonly string[]> {
    const unreadable = [informers.podEnis, informers.networkInterfaces, informers.nodes].flatMap((one) => [...one.unreadable]);
    if (unreadable.length > 0) {
      enis.forget();
      orphans.forget();
      log.warn(`nothing is collected: ${unreadable.join(", ")} cannot be read and may refer to anything`);
      return [];
    }
    const removed = await collectOrphans();
    const found = leakedEnis(await cloud.describeEnis({ tags: eniTags(config.clusterId) }, signal), references(), clock.wallMs());
    const confirmed = new Set(enis.confirm(found.map(({ id }) => id)));
    for (const eni of found) {
      if (!confirmed.has(eni.id) || (await read(client, { resource: networkInterfaces.resource, name: eni.id })) !== undefined) continue;
      log.warn({ eni: eni.id, address: eni.primaryIpv4, type: eni.type }, "an ENI that nothing refers to is removed");
      // A member goes off its trunk first, and is found free the next time.
      if (eni.type === "Member") await cloud.detachMember(eni.id, eni.instanceId ?? "", eni.trunkId ?? "", signal);
      else await cloud.deleteEni(eni.id, signal);
      removed.push(eni.id);
    }
    return removed;
  }

  function references(): References {
    const all = [...informers.podEnis.objects.values()];
    const ids = new Set(all.flatMap(({ spec }) => (spec.allocations ?? []).map(({ eni }) => eni.id)));
    for (const { metadata } of informers.networkInterfaces.objects.values()) ids.add(metadata.name);
    const tokens = new Set(all.flatMap((podEni) => (intentOf(podEni) ?? []).map(({ token }) => token)));
    for (const { metadata } of informers.nodes.objects.values()) {
      const { id, token } = trunkReferences(metadata.annotations);
      if (id !== undefined) ids.add(id);
      if (token !== undefined) tokens.add(token);
    }
    return { ids, tokens };
  }

  async function collectOrphans(): Promise<string[]> {
    const without = [...informers.networkInterfaces.objects.values()].filter(
      (one) =>
        one.metadata.deletionTimestamp === undefined &&
        ownerOf(one) !== undefined &&
        informers.podEnis.objects.get(keyOf(one)) === undefined,
    );
    const confirmed = new Set(orphans.confirm(without.map(({ metadata }) => metadata.name)));
    const removed: string[] = [];
    for (const one of without) {
      const owner = ownerOf(one);
      if (!confirmed.has(one.metadata.name) || owner === undefined) continue;
      if ((await read(client, { resource: podEnis.resource, ...owner })) !== undefined) continue;
      log.warn({ networkInterface: one.metadata.name, ...owner }, "a NetworkInterface whose PodENI is gone is removed");
      await remove(client, networkInterfaces.resource, one);
      removed.push(one.metadata.name);
    }
    return removed;
  }

  return {
    name: "garbage",
    round,
    start() {
      const run = async () => {
        while (!stop.signal.aborted) {
          await round(stop.signal).catch((error: unknown) =>
            log.warn(`garbage: ${error instanceof Error ? error.message : String(error)}`),
          );
          await clock.sleep(periodMs, stop.signal).catch(() => {});
        }
      };
      running ??= run();
    },
    async stop() {
      stop.abort(new Error("the controller was stopped"));
      await running;
    },
  };
}

function ownerOf({ spec }: NetworkInterface): { readonly namespace: string; readonly name: string } | undefined {
  const { namespace, name } = spec?.podENIRef ?? {};
  return namespace && name ? { namespace, name } : undefined;
}

const keyOf = (one: NetworkInterface) => {
  const owner = ownerOf(one);
  return `${owner?.namespace}/${owner?.name}`;
};
