import { access } from "node:fs/promises";
import {
  type Attachment,
  cniCode,
  type Lease,
  type PodEni,
  type PodNetworkWishes,
  type PodObject,
  podNetworkWishes,
  type Sandbox,
} from "@terway/model";
import { buildAttachment, readAttachment } from "../attachment.ts";
import { connect } from "../connect.ts";
import { CniError } from "../failure.ts";
import { type ContainerCall, leaseId, type Node } from "../node.ts";
import { hasOwnEnis, identifyPod, isIgnored, subjectOf } from "../pods.ts";
import { allocationRefusal } from "../refusal.ts";
import { release } from "../release.ts";
import { buildResult, type CniResult } from "../result.ts";
import { shapingOf } from "../wishes.ts";
import { attachAgain, attachGiven } from "./add-given.ts";
import type { Attached } from "./attached.ts";

/** One interface for one sandbox. The same call again, also at the same instant, gets the same result and no second address (I8). */
export async function add(node: Node, call: ContainerCall): Promise<CniResult> {
  const pod = identifyPod(call.containerId, call.args);
  const sandbox: Sandbox = {
    containerId: call.containerId,
    ifName: call.ifName,
    netns: call.netns,
    podNamespace: pod.namespace,
    podName: pod.name,
    ...(pod.uid === undefined ? {} : { podUid: pod.uid }),
  };
  const subject = { kind: "Pod", namespace: pod.namespace, name: pod.name, ...(pod.uid === undefined ? {} : { uid: pod.uid }) } as const;
  const started = node.clock.monotonicMs();
  try {
    const id = leaseId(call);
    const { attachment, kernel, spent } = await call.deadline.race(
      node.flight.run(id, `ADD ${call.netns}`, async () => attach(node, call, sandbox, await node.pods.pod(pod))),
      () =>
        new CniError(
          cniCode.tryAgainLater,
          `attaching ${pod.namespace}/${pod.name} takes longer than the caller waits`,
          `attachment ${id}`,
        ),
    );
    const { dns, prevResult, cniVersion } = call.conf;
    const result = buildResult({
      cniVersion,
      attachment,
      attached: kernel,
      ...(dns === undefined ? {} : { dns }),
      ...(prevResult === undefined ? {} : { previous: prevResult }),
    });
    const addresses = [attachment.ipv4?.address, attachment.ipv6?.address].filter((address) => address !== undefined).join(",");
    const ms = tenths(node.clock.monotonicMs() - started);
    const phases = spent === undefined ? {} : { poolMs: tenths(spent.poolMs), kernelMs: tenths(spent.kernelMs) };
    const fields = { verb: "ADD", id, pod: `${pod.namespace}/${pod.name}`, addresses, hostIfName: kernel.hostIfName, ms, ...phases };
    node.log.info(fields, "attached");
    for (const limit of kernel.unenforced) node.events.emit("VirtualModeChanged", subject, `not in force: ${limit}`);
    node.events.emit("AllocIPSucceed", subject, `Alloc IP ${addresses} took ${ms} ms`);
    return result;
  } catch (error) {
    if (error instanceof CniError) node.events.emit("AllocIPFailed", subject, error.message);
    throw error;
  }
}

async function attach(node: Node, call: ContainerCall, sandbox: Sandbox, pod: PodObject | undefined): Promise<Attached> {
  const id = leaseId(call);
  const wishes = wishesOf(node, pod);
  await clearTheWay(node, id, sandbox);
  const given = await patiently(node, call, sandbox, async () => {
    const podEni = await podEniOf(node, sandbox, pod, node.pool.isGiven(id));
    return podEni === undefined ? undefined : attachGiven(node, call, sandbox, podEni, wishes);
  });
  if (given !== undefined) return given;
  if (node.pool.isGiven(id)) return attachAgain(node, call);
  const started = node.clock.monotonicMs();
  const keepMs = node.keepMs(pod);
  const allocated = await node.pool.allocate(sandbox, {
    deadlineMs: call.deadline.stepMs(),
    ...(keepMs === undefined ? {} : { keepMs }),
    payload: (lease) => attachmentFor(node, call, lease, wishes),
  });
  if (!allocated.ok) throw allocationRefusal(allocated.failure, node.unready());
  const { lease } = allocated;
  node.allocated(lease);
  node.failpoint("add.allocated");
  const leased = node.clock.monotonicMs();
  const attachment = readAttachment(lease) ?? attachmentFor(node, call, lease, wishes);
  const kernel = await connect(node, attachment, sandbox, call.deadline.stepMs()).catch(async (error: unknown) => {
    // A lease that was bound before belongs to a sandbox that may still live; only what this call began is rolled back.
    if (lease.state !== "bound") await release(node, id);
    throw error;
  });
  node.failpoint("add.attached");
  const spent = { poolMs: leased - started, kernelMs: node.clock.monotonicMs() - leased };
  node.metrics.addPhase("pool", spent.poolMs);
  node.metrics.addPhase("kernel", spent.kernelMs);
  // Nothing depends on this record: without it, recovery attaches again, which changes nothing.
  if (lease.state !== "bound") node.pool.bound(id).catch((error: unknown) => node.log.warn({ id, error }, "bound record not written"));
  return { attachment, kernel, spent };
}

function attachmentFor(node: Node, call: ContainerCall, lease: Lease, wishes: PodNetworkWishes): Attachment {
  const network = node.network();
  const modes = node.modes();
  if (modes === undefined) throw new CniError(cniCode.tryAgainLater, "the node's datapath mode is not decided yet");
  const { conf } = call;
  const mtu = conf.mtu ?? (conf.autoMtu ? network.uplinkMtu : undefined);
  const mode = lease.exclusive ? modes.exclusive : modes.shared;
  return buildAttachment(lease, network, {
    mode,
    ...(mtu === undefined ? {} : { mtu }),
    // Further interfaces of a pod (Multus) leave the default route where it is.
    defaultRoute: call.ifName === "eth0",
    eniGroups: node.pool.securityGroups(lease.eniId),
    hostPeer: !conf.disableHostPeer,
    ...(conf.hostStackCidrs === undefined ? {} : { hostStackCidrs: conf.hostStackCidrs }),
    shaping: shapingOf(conf, wishes, modes, mode),
    fastPath: modes.fastPath,
  });
}

/** Time kept for the kernel when the PodENI comes at the last moment. */
const kernelMs = 1_500;
/** What a PodENI waits for may also be in the instance's metadata, which nobody announces. */
const lookMs = 500;

/**
 * Tries again as long as the caller waits, whenever the pod's PodENI has changed: attaching an ENI takes a few seconds, and the runtime comes back for a call that
 * has failed only after fifteen.
 */
async function patiently<T>(node: Node, call: ContainerCall, sandbox: Sandbox, attempt: () => Promise<T>): Promise<T> {
  const { podNamespace: namespace, podName: name } = sandbox;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const leftMs = call.deadline.stepMs() - kernelMs;
      if (!(error instanceof CniError) || error.code !== cniCode.tryAgainLater || leftMs <= 0) throw error;
      if (!(await node.pods.podEniChanged({ namespace, name }, Math.min(leftMs, lookMs)))) throw error;
    }
  }
}

/** The ENIs that were given to this pod alone. A pod that shall have some does not take an address of the pool meanwhile. */
async function podEniOf(node: Node, sandbox: Sandbox, pod: PodObject | undefined, held: boolean): Promise<PodEni | undefined> {
  // Further interfaces that a runtime asks for by itself (Multus) come from the pool.
  if (sandbox.ifName !== "eth0") return undefined;
  const { podNamespace: namespace, podName: name } = sandbox;
  const podEni = await node.pods.podEni({ namespace, name }, pod);
  if (podEni !== undefined || held || pod === undefined || !hasOwnEnis(pod)) return podEni;
  const message = `pod ${namespace}/${name} has annotation k8s.aliyun.com/pod-eni, but no PodENI yet; the control plane makes it`;
  throw new CniError(cniCode.tryAgainLater, message);
}

/** What the pod's object asks for. Bad annotations do not keep a pod from running: it runs as without them, and an event says so. */
function wishesOf(node: Node, pod: PodObject | undefined): PodNetworkWishes {
  const wishes = podNetworkWishes(pod === undefined || isIgnored(pod) ? {} : pod.metadata.annotations);
  if (pod !== undefined) for (const problem of wishes.problems) node.events.emit("ParseFailed", subjectOf(pod), problem);
  return wishes;
}

/** An earlier hold under the same id: half released, or for a namespace that is gone. */
async function clearTheWay(node: Node, id: string, sandbox: Sandbox): Promise<void> {
  const lease = node.pool.lease(id);
  if (lease === undefined) return;
  const moved = lease.sandbox.netns !== sandbox.netns;
  if (moved && lease.state !== "releasing" && (await exists(lease.sandbox.netns))) {
    throw new CniError(
      cniCode.invalidEnvironment,
      `CNI_NETNS: ${id} is attached in ${lease.sandbox.netns} already, not in ${sandbox.netns}`,
      "send DEL for it first",
    );
  }
  if (!moved && lease.state !== "releasing") return;
  const { failures } = await release(node, id);
  if (failures.length > 0) throw new CniError(cniCode.tryAgainLater, `what is left of ${id} cannot be removed: ${failures.join("; ")}`);
}

const tenths = (ms: number) => Math.round(ms * 10) / 10;

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
