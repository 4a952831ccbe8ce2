import type { Node } from "./node.ts";

const scanIntervalMs = 30_000;

/** Keeps the kernel equal to the attachments, and says what had been changed by others (I17). */
export function watchRepairs(node: Node): void {
  node.datapath.startRepair({ scanIntervalMs, pods: true }, ({ attachmentId, trigger, drifts, failures }) => {
    node.metrics.repaired(trigger, failures.length > 0);
    const sandbox = node.pool.lease(attachmentId)?.sandbox;
    const objects = drifts.map((drift) => `${drift.object} was ${drift.problem}`).join("; ");
    const failed = failures.map((failure) => failure.message);
    const message = failures.length > 0 ? `${objects}; not repaired: ${failed.join("; ")}` : `repaired: ${objects}`;
    node.log.warn({ id: attachmentId, trigger, drifts, ...(failed.length > 0 ? { failed } : {}) }, message);
    const subject = sandbox
      ? ({ kind: "Pod", namespace: sandbox.podNamespace, name: sandbox.podName } as const)
      : ({ kind: "Node" } as const);
    node.events.emit("ConfigCheck", subject, message);
  });
}
