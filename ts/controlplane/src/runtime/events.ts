import { EventRecorder, type EventSubject, type KubeClient } from "@terway/kube";
import { type Clock, type EventReason, type EventReasonInfo, eventReasons } from "@terway/model";
import type { Logger } from "../log.ts";

/** What one controller has to say to people who look at an object. Never fails and never waits. */
export interface Events {
  emit(reason: EventReason, subject: EventSubject, message: string): void;
}

/** Events of one controller, which `kubectl describe` shows as their source. */
export function openEvents(parts: {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly controller: string;
}): Events {
  const { client, clock, log, controller } = parts;
  const onTrouble = (error: unknown) => log.warn(`an event is lost: ${error instanceof Error ? error.message : String(error)}`);
  const recorder = new EventRecorder({ client, clock, component: `terway-controlplane/${controller}`, onTrouble });
  return {
    emit(reason, subject, message) {
      const info: EventReasonInfo = eventReasons[reason];
      const text = info.formerly === undefined ? message : `${message} (formerly ${info.formerly})`;
      recorder.record(subject, info.type, reason, text, info.action);
    },
  };
}
