import { EventRecorder, type KubeClient } from "@terway/kube";
import { type Clock, type EventReason, type EventReasonInfo, type EventSink, type EventSubject, eventReasons } from "@terway/model";
import type { Logger } from "../log.ts";
import { isIgnored, isOfKubernetes, type Pods } from "../pods.ts";

/** As upstream's recorder names itself. */
const component = "terway-daemon";

export interface ApiEventsParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  readonly pods: Pods;
  /** Of the node's object; undefined while it is not known. */
  readonly nodeUid: () => string | undefined;
}

/** Events where people look for them: at the pod and at the node. */
export class ApiEvents implements EventSink {
  readonly #parts: ApiEventsParts;
  readonly #recorder: EventRecorder;

  constructor(parts: ApiEventsParts) {
    this.#parts = parts;
    const { client, clock, log, nodeName } = parts;
    const onTrouble = (error: unknown) => log.warn({ err: error }, "an event is lost");
    this.#recorder = new EventRecorder({ client, clock, component, host: nodeName, onTrouble });
  }

  emit(reason: EventReason, subject: EventSubject, message: string): void {
    const info: EventReasonInfo = eventReasons[reason];
    const object = this.#objectOf(subject);
    if (info.ours === true || object === undefined) return;
    const text = info.formerly === undefined ? message : `${message} (formerly ${info.formerly})`;
    this.#recorder.record({ apiVersion: "v1", ...object }, info.type, reason, text, info.action);
  }

  flush(): Promise<void> {
    return this.#recorder.flush();
  }

  /** With the API server's uid: `kubectl describe` finds events by it, and a static pod's own is another one. */
  #objectOf(subject: EventSubject) {
    const { pods, nodeName, nodeUid } = this.#parts;
    if (subject.kind === "Node") return { kind: "Node", name: nodeName, uid: nodeUid() ?? nodeName };
    if (!isOfKubernetes(subject)) return undefined;
    const pod = pods.known(subject);
    if (isIgnored(pod)) return undefined;
    const uid = pod?.metadata.uid || subject.uid;
    return { kind: "Pod", namespace: subject.namespace, name: subject.name, ...(uid === undefined ? {} : { uid }) };
  }
}
