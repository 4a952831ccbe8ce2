import type { AddressPool, PodObject } from "@terway/model";
import { hasEnded, hasOwnEnis, type Pods } from "./pods.ts";

/**
 * Tells the pool which pods are bound to this node, now and at every change until the signal ends it: the scheduler has decided long before the kubelet has a sandbox, and the
 * cloud needs that time.
 */
export function announcePods({ objects }: Pick<Pods, "objects">, pool: Pick<AddressPool, "expect">, signal: AbortSignal): void {
  const expected = new Set<string>();
  for (const pod of objects.values()) if (takesOfPool(pod)) expected.add(nameOf(pod));
  pool.expect(new Set(expected));
  const ignore = objects.listen((event) => {
    const name = nameOf(event.type === "deleted" ? event.before : event.object);
    const before = expected.size;
    if (event.type !== "deleted" && takesOfPool(event.object)) expected.add(name);
    else expected.delete(name);
    if (expected.size !== before) pool.expect(new Set(expected));
  });
  signal.addEventListener("abort", ignore, { once: true });
}

const nameOf = ({ metadata: { namespace, name } }: PodObject) => `${namespace}/${name}`;

/** One that is terminating either has what it needs or will not ask any more. */
function takesOfPool(pod: PodObject): boolean {
  return pod.spec?.hostNetwork !== true && pod.metadata.deletionTimestamp === undefined && !hasEnded(pod) && !hasOwnEnis(pod);
}
