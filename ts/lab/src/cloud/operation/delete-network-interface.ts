import { z } from "zod";
import { apiError } from "../api-error.ts";
import { findEni, requireIdle, requireStatus } from "../eni.ts";
import { text } from "../parameters.ts";
import { startTransition } from "../transition.ts";
import { eniResource, operation } from "./operation.ts";

const schema = z.object({ NetworkInterfaceId: text });

/** Asynchronous: Deleting for a while, then Describe does not know it any more. */
export const deleteNetworkInterface = operation({
  action: "DeleteNetworkInterface",
  product: "Ecs",
  writes: true,
  delay: "other",
  schema,
  resources: eniResource,
  run(parameters, { tx, transitionFault }) {
    const eni = findEni(tx, parameters.NetworkInterfaceId);
    requireStatus(eni, "Available", "Deleting");
    if (eni.serviceManaged) throw apiError("InvalidOperation.EniServiceManaged", { id: eni.id });
    requireIdle(eni);
    const stuck = eni.transition !== undefined && eni.transition.dueMs === undefined;
    if (eni.status === "Available" || stuck) startTransition(tx, eni, "delete", transitionFault);
    return {};
  },
});
