import type { Clock, Datapath, EventSink, SymmetricRouting } from "@terway/model";
import type { Logger } from "./log.ts";

/** An interface without gateway, or netfilter that is busy, may get better. */
const retryMs = 30_000;

export interface SymmetricRoutingParts {
  readonly datapath: Pick<Datapath, "symmetricRouting">;
  /** `symmetric_routing` of `10-terway.conf`; undefined is off, which removes what an earlier configuration left. */
  readonly wanted: SymmetricRouting | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventSink;
  readonly signal: AbortSignal;
  readonly onState: (state: string) => void;
}

/** Switches symmetric routing on or off, and tries again while the kernel does not take it. The datapath keeps it from then on. */
export async function switchSymmetricRouting(parts: SymmetricRoutingParts): Promise<void> {
  const { datapath, wanted, clock, log, events, signal, onState } = parts;
  let said = "";
  while (!signal.aborted) {
    const outcome = await datapath.symmetricRouting(wanted ?? null);
    if (outcome.ok) {
      const { interface: entrance = "", families = [] } = outcome.value ?? {};
      onState(outcome.value === undefined ? "off" : `on, ${entrance}, ${families.join(" and ")}`);
      if (wanted !== undefined) log.info({ ...outcome.value }, "symmetric routing");
      return;
    }
    const { message } = outcome.error;
    onState(wanted === undefined ? `off, but something is left of it: ${message}` : `not in force: ${message}`);
    if (message !== said) {
      log.warn(message);
      if (wanted !== undefined) events.emit("ConfigError", { kind: "Node" }, `symmetric_routing is not in force: ${message}`);
    }
    said = message;
    try {
      await clock.sleep(retryMs, signal);
    } catch {
      return;
    }
  }
}
