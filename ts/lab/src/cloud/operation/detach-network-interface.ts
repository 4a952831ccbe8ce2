import { z } from "zod";
import { apiError } from "../api-error.ts";
import { findEni, membersOf, requireIdle, requireStatus } from "../eni.ts";
import { text } from "../parameters.ts";
import { startTransition } from "../transition.ts";
import { operation } from "./operation.ts";

const schema = z.object({ NetworkInterfaceId: text, InstanceId: text, TrunkNetworkInstanceId: text.optional() });

/** Asynchronous. Detaching what is detached already is a success; while it hangs in Detaching, calling again starts anew. */
export const detachNetworkInterface = operation({
  action: "DetachNetworkInterface",
  product: "Ecs",
  writes: true,
  delay: "other",
  schema,
  resources: (wire) => [`eni/${wire.NetworkInterfaceId ?? "*"}`, `instance/${wire.InstanceId ?? "*"}`],
  run(parameters, { tx, transitionFault }) {
    const eni = findEni(tx, parameters.NetworkInterfaceId);
    const instance = tx.instance(parameters.InstanceId);
    if (instance === undefined) throw apiError("InvalidEcsId.NotFound", { id: parameters.InstanceId });
    if (eni.type === "Primary") throw apiError("InvalidOperation.DetachPrimaryEniNotAllowed");
    if (eni.status === "Available") return {};
    if (eni.instanceId !== instance.id) throw apiError("InvalidParameter.EniNotBelongEcs", { id: eni.id, instance: instance.id });
    const { TrunkNetworkInstanceId: trunkId } = parameters;
    if (trunkId !== undefined && eni.trunkId !== trunkId) throw apiError("InvalidParameter.EniNotBelongTrunk");
    requireStatus(eni, "InUse", "Detaching");
    if (eni.serviceManaged) throw apiError("InvalidOperation.EniServiceManaged", { id: eni.id });
    if (membersOf(tx.state, eni.id).length > 0) throw apiError("InvalidOperation.HasMemberEniAttached");
    requireIdle(eni);
    const stuck = eni.transition !== undefined && eni.transition.stage === "waiting" && eni.transition.dueMs === undefined;
    if (eni.status === "InUse" || stuck) startTransition(tx, eni, "detach", transitionFault);
    return {};
  },
});
