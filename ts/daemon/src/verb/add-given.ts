import { cniCode, type Lease, type PodEni, type PodNetworkWishes, type Sandbox } from "@terway/model";
import { type AttachmentChoice, buildAttachment, readAttachment } from "../attachment.ts";
import { connect } from "../connect.ts";
import { CniError } from "../failure.ts";
import { type ContainerCall, leaseId, type Node } from "../node.ts";
import { type GivenInterface, planPodEni } from "../pod-eni-plan.ts";
import { release } from "../release.ts";
import { shapingOf } from "../wishes.ts";
import type { Attached } from "./attached.ts";

const metadataTimeoutMs = 3_000;

/** Time kept back for taking back earlier interfaces, so that the caller still hears why. */
const rollbackMs = 1_000;

/**
 * Every interface of a pod that has ENIs of its own, in one ADD; answers the one that the runtime asked for. When one fails, those that this call made
 * go again, and nothing is left of it.
 */
export async function attachGiven(
  node: Node,
  call: ContainerCall,
  sandbox: Sandbox,
  podEni: PodEni,
  wishes: PodNetworkWishes,
): Promise<Attached> {
  const modes = node.modes();
  if (modes === undefined) throw new CniError(cniCode.tryAgainLater, "the node's datapath mode is not decided yet");
  const enis = await node.enis(AbortSignal.timeout(metadataTimeoutMs)).catch((error: unknown) => {
    const cause = error instanceof Error ? error.message : String(error);
    throw new CniError(cniCode.tryAgainLater, `the instance metadata cannot be read: ${cause}`);
  });
  const { podUid } = sandbox;
  const plan = planPodEni(podEni, { ifName: call.ifName, ...(podUid === undefined ? {} : { podUid }) }, enis, modes);
  if (!plan.ok) throw new CniError(plan.waits ? cniCode.tryAgainLater : cniCode.invalidConfig, plan.message);

  const begun: string[] = [];
  try {
    const attached: Attached[] = [];
    for (const one of plan.interfaces) {
      const { lease, fresh } = await hold(node, call, sandbox, one, plan.interfaces.length > 1, wishes);
      if (fresh) begun.push(lease.id);
      attached.push(await attachHeld(node, call, lease));
    }
    const [first] = attached;
    if (first === undefined) throw new Error(`the plan of ${leaseId(call)} has no interface`);
    return first;
  } catch (error) {
    for (const id of begun.reverse()) await release(node, id);
    throw error;
  }
}

/** The same ADD again when the PodENI cannot be seen any more: what is held is what the pod has. */
export async function attachAgain(node: Node, call: ContainerCall): Promise<Attached> {
  const id = leaseId(call);
  const held = [id, ...node.pool.companions(id)].flatMap((one) => node.pool.lease(one) ?? []);
  const attached: Attached[] = [];
  for (const lease of held) attached.push(await attachHeld(node, call, lease));
  const [first] = attached;
  if (first === undefined) throw new Error(`${id} holds nothing`);
  return first;
}

async function attachHeld(node: Node, call: ContainerCall, lease: Lease): Promise<Attached> {
  const attachment = readAttachment(lease);
  if (attachment === undefined) throw new CniError(cniCode.tryAgainLater, `the attachment of ${lease.id} cannot be read`);
  const kernel = await connect(node, attachment, lease.sandbox, Math.max(1, call.deadline.stepMs() - rollbackMs));
  node.failpoint("add.attached");
  await node.pool.bound(lease.id);
  return { attachment, kernel };
}

/** The durable hold on one interface; the same one when an earlier call made it. */
async function hold(
  node: Node,
  call: ContainerCall,
  sandbox: Sandbox,
  one: GivenInterface,
  multiNetwork: boolean,
  wishes: PodNetworkWishes,
): Promise<{ lease: Lease; fresh: boolean }> {
  const owner = leaseId(call);
  const id = leaseId({ containerId: call.containerId, ifName: one.ifName });
  const held = node.pool.lease(id);
  if (held !== undefined) return { lease: held, fresh: false };
  const bare: Lease = {
    id,
    generation: node.pool.nextGeneration(),
    state: "intent",
    sandbox: { ...sandbox, ifName: one.ifName },
    eniId: one.eniId,
    eniMac: one.eniMac,
    ...(one.ipv4 ? { ipv4: one.ipv4 } : {}),
    ...(one.ipv6 ? { ipv6: one.ipv6 } : {}),
    ...(one.mode === "exclusive" ? { exclusive: true as const } : {}),
    allocatedAtMs: node.clock.wallMs(),
  };
  const lease = { ...bare, payload: buildAttachment(bare, node.network(), choiceOf(node, call, one, multiNetwork, wishes)) };
  await node.pool.take(owner, lease);
  node.allocated(lease);
  node.failpoint("add.allocated");
  return { lease, fresh: true };
}

function choiceOf(node: Node, call: ContainerCall, one: GivenInterface, multiNetwork: boolean, wishes: PodNetworkWishes): AttachmentChoice {
  const { conf } = call;
  const modes = node.modes();
  const mtu = conf.mtu ?? (conf.autoMtu ? node.network().uplinkMtu : undefined);
  // A pod's limit is for the pod; it stands on the interface that the runtime asked for.
  const limited = one.ifName === call.ifName;
  const { bandwidth: _, ...unlimited } = wishes;
  return {
    mode: one.mode,
    ...(mtu === undefined ? {} : { mtu }),
    defaultRoute: one.defaultRoute,
    extraRoutes: one.extraRoutes,
    hostPeer: !conf.disableHostPeer,
    ...(conf.hostStackCidrs === undefined ? {} : { hostStackCidrs: conf.hostStackCidrs }),
    ...(one.trunk === undefined ? {} : { trunk: one.trunk }),
    eniGroups: one.eniGroups,
    multiNetwork,
    fastPath: modes?.fastPath ?? false,
    ...(modes === undefined
      ? {}
      : { shaping: limited ? shapingOf(conf, wishes, modes, one.mode) : shapingOf({}, unlimited, modes, one.mode) }),
  };
}
