import type { Clock, Datapath, EventSink, Lease, MetadataEni, NodeModes, PodObject } from "@terway/model";
import type { NodeNetwork } from "./attachment.ts";
import type { Deadline } from "./deadline.ts";
import type { Holdings } from "./holdings.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { PluginConf } from "./plugin-conf.ts";
import type { Pods } from "./pods.ts";
import type { NodePolicy } from "./policy/node-policy.ts";
import type { SingleFlight } from "./single-flight.ts";

/** What the verbs work with: the parts of this node's daemon. */
export interface Node {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventSink;
  readonly pods: Pods;
  readonly pool: Holdings;
  readonly datapath: Datapath;
  readonly policy: NodePolicy;
  readonly flight: SingleFlight;
  /** Sandboxes of one pod share the name of the host end: their kernel work comes one after the other, in the order of their calls. */
  readonly hostNames: SingleFlight;
  /** What is known of the node's own interface at this moment. */
  network(): NodeNetwork;
  /** How pods are connected; undefined until it is decided, which needs the journal. */
  modes(): NodeModes | undefined;
  /** For how long a pod's addresses are kept for its next sandbox when this one goes; undefined: not at all. */
  keepMs(pod: PodObject | undefined): number | undefined;
  /** ENIs of this instance as the metadata service shows them now. */
  enis(signal: AbortSignal): Promise<readonly MetadataEni[]>;
  /** Why addresses cannot be managed at all yet, as a complete sentence: the instance or its limits are unknown. */
  unready(): string | undefined;
  /** A sandbox has addresses of its own; told before the kernel has them. Never throws and never waits. */
  allocated(lease: Lease): void;
  /** Test hook: kills the process when the environment names this step. */
  failpoint(step: DaemonStep): void;
}

/** Steps between the journal's own failpoints at which a crash test stops the daemon. */
export const daemonSteps = ["add.allocated", "add.attached", "del.begun", "del.detached", "tombstone.released", "recover.adopted"] as const;
export type DaemonStep = (typeof daemonSteps)[number] | `call.${"add" | "del" | "check" | "gc" | "status"}`;

/** One call about one interface of one container. */
export interface ContainerCall {
  readonly containerId: string;
  readonly ifName: string;
  /** Empty when the runtime gave none. */
  readonly netns: string;
  readonly args?: string;
  readonly conf: PluginConf;
  readonly deadline: Deadline;
}

export const leaseId = (call: { readonly containerId: string; readonly ifName: string }) => `${call.containerId}/${call.ifName}`;
