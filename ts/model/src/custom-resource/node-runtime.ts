import { z } from "zod";
import { clusterMetadata, text, time } from "./field.ts";

/** A NodeRuntime of `network.alibabacloud.com/v1beta1`: what the node's CNI has set up and torn down. It has the node's name. */
export const nodeRuntimeSchema = z.object({
  metadata: clusterMetadata,
  spec: z.object({}).optional(),
  status: z
    .object({
      pods: z
        .record(
          z.string(),
          z.object({
            podID: text,
            status: z
              .record(z.string(), z.object({ lastUpdateTime: time }))
              .optional()
              .meta({ description: "initial and deleted, each with its time." }),
          }),
        )
        .optional()
        .meta({ description: "By the pod's uid. An address is free when its pod stands here as deleted." }),
    })
    .optional(),
});
export type NodeRuntime = z.infer<typeof nodeRuntimeSchema>;
