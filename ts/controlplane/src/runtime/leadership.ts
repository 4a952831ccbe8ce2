import { type KubeClient, LeaderElection } from "@terway/kube";
import type { Clock } from "@terway/model";
import type { CtrlConfig } from "../config/ctrl-config.ts";
import type { Logger } from "../log.ts";

export interface LeadershipParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly config: CtrlConfig;
  /** Unique among replicas. */
  readonly identity: string;
}

/** Runs `lead` when this replica leads. Rejects when it leads no more; what it did then must not go on, so the program ends. */
export async function whileLeading(parts: LeadershipParts, lead: () => Promise<void>, stop: AbortSignal): Promise<void> {
  const { client, clock, log, config, identity } = parts;
  const ended = Promise.withResolvers<void>();
  stop.addEventListener("abort", () => ended.resolve(), { once: true });
  if (stop.aborted) return;
  if (!config.leaderElection) {
    lead().catch(ended.reject);
    return ended.promise;
  }
  const election = new LeaderElection({
    ...{ client, clock, identity, namespace: config.namespace, name: config.name, ...config.lease },
    onLead: () => {
      log.info("leads");
      lead().catch(ended.reject);
    },
    onLost: (reason) => {
      if (!stop.aborted) ended.reject(new LeadershipLost(`leads no more: ${reason}`));
    },
    onTrouble: (error) => log.warn(`lease: ${error instanceof Error ? error.message : String(error)}`),
  });
  election.start();
  try {
    await ended.promise;
  } finally {
    // On the way out by a signal the lease is given back, and the next one need not wait for its end.
    if (stop.aborted) await election.stop();
  }
}

export class LeadershipLost extends Error {
  override readonly name = "LeadershipLost";
}
