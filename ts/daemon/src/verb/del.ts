import { cniCode } from "@terway/model";
import { CniError } from "../failure.ts";
import { type ContainerCall, leaseId, type Node } from "../node.ts";
import { release } from "../release.ts";

/**
 * Removes one interface. Success for whatever is unknown, gone or of an older sandbox: only the container id and interface name count (I7). What
 * the kernel refuses to remove is not the caller's trouble either: a DEL that fails keeps a pod Terminating for ever; the sweep goes on with it.
 */
export async function del(node: Node, call: Pick<ContainerCall, "containerId" | "ifName" | "netns" | "deadline">): Promise<void> {
  const id = leaseId(call);
  const started = node.clock.monotonicMs();
  // An ADD that still waits for an address is told so and ends; the DEL need not wait for its deadline.
  if (node.flight.busy(id)) node.pool.beginRelease(id).catch((error: unknown) => node.log.warn({ id, err: error }, "release not begun"));
  const hint = { ifName: call.ifName, ...(call.netns ? { netns: call.netns } : {}) };
  const { lease, failures } = await call.deadline.race(
    node.flight.run(id, "DEL", () => release(node, id, hint)),
    () => new CniError(cniCode.tryAgainLater, `removing ${id} takes longer than the caller waits`),
  );
  const pod = lease && `${lease.sandbox.podNamespace}/${lease.sandbox.podName}`;
  const ms = Math.round((node.clock.monotonicMs() - started) * 10) / 10;
  node.log.info({ verb: "DEL", id, ...(pod ? { pod } : { known: false }), ms }, "detached");
  if (lease === undefined) return;
  const subject = { kind: "Pod", namespace: lease.sandbox.podNamespace, name: lease.sandbox.podName } as const;
  if (failures.length > 0) node.events.emit("ReleaseIPFailed", subject, `${id} is removed in the background: ${failures.join("; ")}`);
  else node.events.emit("ReleaseIPSucceed", subject, `Released ${lease.ipv4?.address ?? lease.ipv6?.address ?? id}`);
}
