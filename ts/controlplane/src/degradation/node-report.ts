import { strategicMergePatch } from "@terway/kube";
import { degradationCondition } from "@terway/model";
import { changesOf } from "../cluster/enqueue.ts";
import { nodes } from "../cluster/kinds.ts";
import { degradedCondition } from "../cluster/marks.ts";
import { nodeFacts } from "../cluster/node-facts.ts";
import { type Controller, keyedController } from "../runtime/controller.ts";
import { openEvents } from "../runtime/events.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import type { DegradationLevels } from "./levels.ts";

const name = "degradation";
/** A change concerns every node, and none of them is in a hurry. */
const workers = 4;

/** Says on each node, by condition and event, that what pods there need from the cloud is restricted; and that it is over. */
export function openDegradationReport(parts: ControllerParts, levels: DegradationLevels): Controller {
  const { informers, client, clock, config } = parts;
  const { objects } = informers.nodes;
  const events = openEvents({ ...parts, controller: name });

  async function reconcile(key: string): Promise<undefined> {
    const node = objects.get(key);
    if (node === undefined || typeof nodeFacts(node, key, config.nodeLabels) === "string") return undefined;
    const wanted = degradationCondition(degradedCondition, levels.level, levels.reason);
    const said = (node.status?.conditions ?? []).find(({ type }) => type === degradedCondition);
    // Where it never was otherwise there is nothing to say.
    if (said === undefined ? wanted.status === "False" : said.status === wanted.status && said.reason === wanted.reason) return undefined;
    const now = new Date(clock.wallMs()).toISOString().replace(/\.\d+Z$/, "Z");
    const since = said?.status === wanted.status ? (said.lastTransitionTime ?? now) : now;
    const condition = { ...wanted, lastHeartbeatTime: now, lastTransitionTime: since };
    const ref = { resource: nodes.resource, name: key, subresource: "status" };
    await strategicMergePatch(client, ref, { status: { conditions: [condition] } }, "terway-controlplane");
    const subject = { apiVersion: "v1", kind: "Node", name: key, uid: node.metadata.uid };
    if (wanted.status === "False") events.emit("SyncOpenAPISuccess", subject, `degradation is over: ${wanted.message}`);
    else events.emit("SyncOpenAPIFailed", subject, `degraded to ${wanted.reason}, ${wanted.message}`);
    return undefined;
  }

  return keyedController({
    ...{ ...parts, name, workers, reconcile },
    sources: [
      changesOf(objects),
      (enqueue) =>
        levels.listen(() => {
          for (const { metadata } of objects.values()) enqueue(metadata.name);
        }),
    ],
  });
}
