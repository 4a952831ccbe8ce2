import type { PodObject } from "@terway/model";
import { isIgnored } from "./pods.ts";

/** Upstream's five minutes. */
const stickMs = 300_000;
const reservationAnnotation = "k8s.aliyun.com/pod-ip-reservation";

/** How long a pod's addresses are kept for the next one of its name: those of stateful owners, and those that ask for it. */
export function keepMs(pod: PodObject | undefined, statefulKinds: readonly string[]): number | undefined {
  if (pod === undefined || isIgnored(pod)) return undefined;
  const { annotations, ownerReferences } = pod.metadata;
  if (annotations[reservationAnnotation] === "true") return stickMs;
  return ownerReferences.some(({ kind, controller }) => controller === true && statefulKinds.includes(kind.toLowerCase()))
    ? stickMs
    : undefined;
}
