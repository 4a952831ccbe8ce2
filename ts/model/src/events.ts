/**
 * What operators see of a pod's or node's network life. Reasons are Terway's own, because dashboards and runbooks match them; the sink decides
 * where they go (log and ring now, the Kubernetes API later).
 */
export const eventReasons = {
  AllocIPSucceed: { type: "Normal", action: "AllocIP" },
  AllocIPFailed: { type: "Warning", action: "AllocIP" },
  /** Terway has no event for a release; this one closes the pod's story. */
  ReleaseIPSucceed: { type: "Normal", action: "ReleaseIP" },
  ReleaseIPFailed: { type: "Warning", action: "ReleaseIP" },
  CreateENISucceed: { type: "Normal", action: "CreateENI" },
  CreateENIFailed: { type: "Warning", action: "CreateENI" },
  AttachENISucceed: { type: "Normal", action: "AttachENI" },
  DeleteENISucceed: { type: "Normal", action: "DeleteENI" },
  SyncOpenAPISuccess: { type: "Normal", action: "SyncOpenAPI" },
  SyncOpenAPIFailed: { type: "Warning", action: "SyncOpenAPI" },
  /** An address in use is unknown to the cloud. */
  ResourceInvalid: { type: "Warning", action: "SyncOpenAPI" },
  /** CHECK or repair found the kernel different from what it should be. */
  ConfigCheck: { type: "Warning", action: "Config" },
  /** An annotation of a pod cannot be read; the pod runs as without it. */
  ParseFailed: { type: "Warning", action: "AllocIP" },
  ConfigError: { type: "Warning", action: "Config" },
  VirtualModeChanged: { type: "Warning", action: "Config" },
} as const satisfies Readonly<Record<string, { type: "Normal" | "Warning"; action: string }>>;

export type EventReason = keyof typeof eventReasons;

/** What the event is about: this node, or one pod of it. */
export type EventSubject =
  | { readonly kind: "Node" }
  | { readonly kind: "Pod"; readonly namespace: string; readonly name: string; readonly uid?: string };

export interface EventSink {
  /** Never throws and never waits; an event that cannot be delivered is lost, not the work it speaks of. */
  emit(reason: EventReason, subject: EventSubject, message: string): void;
}
