import { z } from "zod";
import { findSettledEni } from "../eni.ts";
import { flag, list, text } from "../parameters.ts";
import { putGroupsOfEni } from "../security-groups.ts";
import { eniResource, operation } from "./operation.ts";

const schema = z.object({
  NetworkInterfaceId: text,
  /** Replaces the whole set. */
  SecurityGroupId: list(16).optional(),
  NetworkInterfaceName: z.string().min(2).max(128).optional(),
  Description: z.string().min(2).max(255).optional(),
  DeleteOnRelease: flag.optional(),
  SourceDestCheck: flag.optional(),
});

export const modifyNetworkInterfaceAttribute = operation({
  action: "ModifyNetworkInterfaceAttribute",
  product: "Ecs",
  writes: true,
  delay: "other",
  schema,
  resources: eniResource,
  run(parameters, { tx }) {
    const eni = findSettledEni(tx, parameters.NetworkInterfaceId);
    const changed = {
      ...eni,
      name: parameters.NetworkInterfaceName ?? eni.name,
      description: parameters.Description ?? eni.description,
      deleteOnRelease: parameters.DeleteOnRelease ?? eni.deleteOnRelease,
      sourceDestCheck: parameters.SourceDestCheck ?? eni.sourceDestCheck,
    };
    if (parameters.SecurityGroupId === undefined) tx.putEni(changed);
    else putGroupsOfEni(tx, changed, parameters.SecurityGroupId);
    return {};
  },
});
