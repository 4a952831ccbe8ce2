import { z } from "zod";
import { allocationTypeShape } from "./eni.ts";
import { clusterMetadata, labelSelectorSchema, openInApi, strings, text, time } from "./field.ts";

/** A PodNetworking of `network.alibabacloud.com/v1beta1`: the ENI that pods which match its selectors get. */
export const podNetworkingSchema = z.object({
  metadata: clusterMetadata,
  spec: z
    .object({
      eniOptions: z
        .object({ eniType: z.enum(["Trunk", "ENI", "Default"]).optional().meta({ default: "Default" }) })
        .optional()
        .meta({ default: { eniType: "Default" } }),
      allocationType: z.object(allocationTypeShape).optional(),
      selector: z
        .object({ podSelector: labelSelectorSchema.optional(), namespaceSelector: labelSelectorSchema.optional() })
        .optional()
        .meta({ description: "Pods in whose namespace and on which both match; an absent selector matches all." }),
      securityGroupIDs: strings,
      vSwitchOptions: strings,
      vSwitchSelectOptions: z
        .object({ vSwitchSelectionPolicy: z.enum(["ordered", "random", "most"]).optional().meta({ default: "ordered" }) })
        .optional(),
    })
    .optional(),
  status: z
    .object({
      status: openInApi(z.enum(["Ready", "Fail"])).optional(),
      vSwitches: z.array(z.object({ id: text, zone: text })).optional(),
      updateAt: time,
      message: text,
    })
    .optional(),
});
export type PodNetworking = z.infer<typeof podNetworkingSchema>;
