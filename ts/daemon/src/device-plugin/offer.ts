import type { Clock } from "@terway/model";
import type { Logger } from "../log.ts";
import type { DeviceResource } from "./resources.ts";

const lookMs = 2_000;

export interface OfferParts {
  readonly directory: string;
  /** Undefined while the instance's limits, or the node's modes, are not known. */
  readonly wanted: () => readonly DeviceResource[] | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Offers the node's extended resources to the kubelet, if it has any; gRPC is loaded only then. */
export async function offerDevices({ directory, wanted, clock, log }: OfferParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && wanted() === undefined) await clock.sleep(lookMs, signal).catch(() => {});
  const names = (wanted() ?? []).map(({ name }) => name);
  if (names.length === 0) return;
  const { serveDevices } = await import("./device-plugin.ts");
  const count = (name: string) => wanted()?.find((one) => one.name === name)?.count ?? 0;
  await Promise.all(names.map((resource) => serveDevices({ directory, resource, count: () => count(resource), clock, log }, signal)));
}
