/**
 * What operators see of a pod's or node's network life. Reasons are Terway's own, because dashboards and runbooks match them; the sinks decide where they
 * go. `formerly` is what a reason was called in releases that people's documents still speak of; events show both. `ours` are told to `terway-cli` alone:
 * Terway has no such reason.
 */
export const eventReasons = {
  AllocIPSucceed: { type: "Normal", action: "AllocIP", on: "Pod", meaning: "Address and time it took." },
  AllocIPFailed: {
    type: "Warning",
    action: "AllocIP",
    on: "Pod, Node",
    meaning: "No address for a pod, or none for the node's stock, and why.",
  },
  /** Terway has no event for a release; this one closes the pod's story. */
  ReleaseIPSucceed: { type: "Normal", action: "ReleaseIP", on: "Pod", ours: true, meaning: "The address rests now." },
  ReleaseIPFailed: {
    type: "Warning",
    action: "ReleaseIP",
    on: "Pod",
    ours: true,
    meaning: "Something is left in the kernel; it is removed later.",
  },
  CreateENISucceed: { type: "Normal", action: "CreateENI", on: "Node, PodENI, Pod", meaning: "An ENI was created." },
  CreateENIFailed: {
    type: "Warning",
    action: "CreateENI",
    on: "Node, PodENI, Pod",
    formerly: "CniCreateENIError",
    meaning: "No ENI, or no address of one, can be had: a quota, or a vSwitch without addresses.",
  },
  AttachENISucceed: { type: "Normal", action: "AttachENI", on: "Node, PodENI, Pod", meaning: "An ENI was attached." },
  AttachENIFailed: { type: "Warning", action: "AttachENI", on: "Node, PodENI, Pod", meaning: "An ENI could not be attached." },
  DetachENISucceed: { type: "Normal", action: "DetachENI", on: "Node, PodENI, Pod", meaning: "An ENI was detached." },
  DetachENIFailed: { type: "Warning", action: "DetachENI", on: "Node, PodENI, Pod", meaning: "An ENI could not be detached." },
  DeleteENISucceed: { type: "Normal", action: "DeleteENI", on: "Node, Pod", meaning: "An ENI was deleted." },
  DeleteENIFailed: { type: "Warning", action: "DeleteENI", on: "Node, Pod", meaning: "An ENI could not be deleted." },
  UpdatePodENIFailed: { type: "Warning", action: "UpdatePodENI", on: "PodENI", meaning: "The state of a PodENI could not be written." },
  DeletePodENIFailed: {
    type: "Warning",
    action: "DeletePod",
    on: "Pod",
    formerly: "CniPodENIDeleteErr",
    meaning: "The ENI of a pod could not be deleted, and how long it was tried.",
  },
  PodCreateFailed: {
    type: "Warning",
    action: "CreatePod",
    on: "Pod",
    formerly: "CniPodCreateError",
    meaning: "The control plane could not prepare the pod's network: an annotation, a PodNetworking, a vSwitch.",
  },
  PodDeleteFailed: {
    type: "Warning",
    action: "DeletePod",
    on: "Pod",
    formerly: "CniPodDeleteError",
    meaning: "The control plane could not take away the pod's network.",
  },
  SyncPodNetworkingSucceed: { type: "Normal", action: "SyncPodNetworking", on: "PodNetworking", meaning: "Its vSwitches are known." },
  SyncPodNetworkingFailed: {
    type: "Warning",
    action: "SyncPodNetworking",
    on: "PodNetworking",
    meaning: "Its vSwitches could not be read.",
  },
  SyncOpenAPISuccess: {
    type: "Normal",
    action: "SyncOpenAPI",
    on: "Node",
    meaning: "A problem with the cloud is over, or a reconcile that was asked for is done.",
  },
  SyncOpenAPIFailed: { type: "Warning", action: "SyncOpenAPI", on: "Node", meaning: "The cloud refuses or does not answer." },
  ResourceInvalid: {
    type: "Warning",
    action: "SyncOpenAPI",
    on: "Node, Pod, PodENI, NetworkInterface",
    meaning: "An address in use is unknown to the cloud; or somebody edited an object into what cannot be used, with the field.",
  },
  ConfigCheck: {
    type: "Warning",
    action: "Config",
    on: "Pod, Node",
    meaning: "CHECK or repair found the kernel different from what it should be.",
  },
  ParseFailed: { type: "Warning", action: "AllocIP", on: "Pod", meaning: "An annotation cannot be read; the pod runs as without it." },
  NetworkPolicyNotApplied: {
    type: "Warning",
    action: "ApplyNetworkPolicy",
    on: "Node",
    meaning: "A change of NetworkPolicy did not fit into the kernel's tables; what was in force stays, and it is tried again.",
  },
  ConfigError: {
    type: "Warning",
    action: "Config",
    on: "Node",
    meaning:
      "Configuration that cannot be used, with path and reason, while the last good one or the usual value stays in force; or what waits for a restart.",
  },
  PrefixModeImmutable: {
    type: "Warning",
    action: "Config",
    on: "Node",
    meaning: "`enable_ip_prefix` differs from what the node was made with.",
  },
  VirtualModeChanged: {
    type: "Warning",
    action: "Config",
    on: "Pod, Node",
    meaning: "The kernel lacks what was configured, or no ENI can be had for the pod, and what is used instead.",
  },
} as const satisfies Readonly<Record<string, EventReasonInfo>>;

export interface EventReasonInfo {
  readonly type: "Normal" | "Warning";
  readonly action: string;
  /** Kinds of object it is about. */
  readonly on: string;
  readonly meaning: string;
  readonly formerly?: string;
  readonly ours?: true;
}

export type EventReason = keyof typeof eventReasons;

/** What the event is about: this node, or one pod of it. */
export type EventSubject =
  | { readonly kind: "Node" }
  | { readonly kind: "Pod"; readonly namespace: string; readonly name: string; readonly uid?: string };

export interface EventSink {
  /** Never throws and never waits; an event that cannot be delivered is lost, not the work it speaks of. */
  emit(reason: EventReason, subject: EventSubject, message: string): void;
}
