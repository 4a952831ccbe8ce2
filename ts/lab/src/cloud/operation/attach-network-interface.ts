import { z } from "zod";
import { apiError } from "../api-error.ts";
import { attachedTo, findEni, membersOf, requireIdle, requireSlots, requireStatus } from "../eni.ts";
import { limitsOf } from "../instance-types.ts";
import { flag, integer, text } from "../parameters.ts";
import type { Instance, NetworkInterface } from "../records.ts";
import type { Transaction } from "../transaction.ts";
import { startTransition } from "../transition.ts";
import { operation } from "./operation.ts";

const schema = z.object({
  NetworkInterfaceId: text,
  InstanceId: text,
  TrunkNetworkInstanceId: text.optional(),
  NetworkCardIndex: integer(0, 15).optional(),
  WaitForNetworkConfigurationReady: flag.optional(),
});

/** Asynchronous. Attaching again to the same instance is a success. */
export const attachNetworkInterface = operation({
  action: "AttachNetworkInterface",
  product: "Ecs",
  writes: true,
  delay: "other",
  schema,
  resources: (wire) => [`eni/${wire.NetworkInterfaceId ?? "*"}`, `instance/${wire.InstanceId ?? "*"}`],
  run(parameters, { tx, transitionFault }) {
    const eni = findEni(tx, parameters.NetworkInterfaceId);
    const instance = tx.instance(parameters.InstanceId);
    if (instance === undefined) throw apiError("InvalidEcsId.NotFound", { id: parameters.InstanceId });
    const same = eni.instanceId === instance.id && eni.trunkId === parameters.TrunkNetworkInstanceId;
    if (same && (eni.status === "Attaching" || eni.status === "InUse")) return {};
    requireStatus(eni, "Available");
    requireIdle(eni);
    if (eni.serviceManaged) throw apiError("InvalidOperation.EniServiceManaged", { id: eni.id });
    if (instance.status !== "Running" && instance.status !== "Stopped") {
      throw apiError("InvalidOperation.InvalidEcsState", { id: instance.id, current: instance.status });
    }
    if (eni.vpcId !== instance.vpcId) throw apiError("InvalidOperation.VpcMismatch");
    if (eni.zoneId !== instance.zoneId) throw apiError("InvalidOperation.AvailabilityZoneMismatch");
    const attached: NetworkInterface =
      parameters.TrunkNetworkInstanceId === undefined
        ? asDevice(tx, eni, instance)
        : asMember(tx, eni, instance, parameters.TrunkNetworkInstanceId);
    requireSlots(tx.state, attached);
    startTransition(tx, attached, "attach", transitionFault);
    return {};
  },
});

function asDevice(tx: Transaction, eni: NetworkInterface, instance: Instance): NetworkInterface {
  const limits = limitsOf(instance.type);
  const others = attachedTo(tx.state, instance.id);
  if (eni.type === "Trunk") {
    if (!limits.trunk) throw apiError("InvalidOperation.InstanceTypeNotSupportEniTrunking");
    if (others.some((other) => other.type === "Trunk")) throw apiError("InvalidOperation.TrunkingIsNotAllowed");
  }
  if (others.length >= limits.enis) throw apiError("EniPerInstanceLimitExceeded", { id: instance.id });
  if (eni.queueNumber !== undefined && limits.queues !== undefined && eni.queueNumber > limits.queues.total) {
    throw apiError("InvalidOperation.MaxEniQueueNumberExceeded");
  }
  const used = new Set(others.map((other) => other.deviceIndex));
  let deviceIndex = 1;
  while (used.has(deviceIndex)) deviceIndex++;
  return { ...eni, instanceId: instance.id, deviceIndex };
}

function asMember(tx: Transaction, eni: NetworkInterface, instance: Instance, trunkId: string): NetworkInterface {
  const trunk = findEni(tx, trunkId);
  if (trunk.type !== "Trunk") throw apiError("InvalidOperation.EniTypeNotSupportTrunking");
  if (eni.type !== "Secondary") throw apiError("InvalidOperation.InvalidEniType", { type: eni.type });
  if (trunk.instanceId !== instance.id) throw apiError("InvalidParameter.EniNotBelongEcs", { id: trunk.id, instance: instance.id });
  if (trunk.status !== "InUse") throw apiError("InvalidOperation.InvalidTrunkEniStatus");
  const limits = limitsOf(instance.type);
  const members = membersOf(tx.state, trunk.id);
  if (members.length >= Math.min(limits.total - limits.enis, limits.total - 2))
    throw apiError("EniPerInstanceLimitExceeded", { id: instance.id });
  return { ...eni, type: "Member", instanceId: instance.id, trunkId: trunk.id, deviceIndex: freeVlan(tx, trunk.id, members) };
}

/** The lowest VLAN id that no member of the trunk has and that does not rest: reuse as soon as allowed is the hardest case for a client. */
function freeVlan(tx: Transaction, trunkId: string, members: readonly NetworkInterface[]): number {
  const used = new Set(members.map((member) => member.deviceIndex));
  for (const resting of tx.state.table("restingVlans").values()) {
    if (resting.trunkId === trunkId && resting.untilMs > tx.nowMs) used.add(resting.vlan);
  }
  let vlan = 1;
  while (used.has(vlan)) vlan++;
  return vlan;
}
