import { ApiError, type KubeClient, mergePatch, type Objects, WorkQueue } from "@terway/kube";
import type { Clock, EventSink, NodeObject, Random } from "@terway/model";
import { nodes } from "../cluster/kinds.ts";
import type { Logger } from "../log.ts";

export const reconcileAnnotation = "terway.aliyun.com/reconcile";

export interface ReconcileRequestParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly events: EventSink;
  readonly ownNode: Objects<NodeObject>;
  /** Compares everything with everything; answers what was found in a sentence, throws what hindered it. */
  readonly reconcile: () => Promise<string>;
}

/**
 * `kubectl annotate nodes --all terway.aliyun.com/reconcile=true`: does it once for each time that the annotation is set, takes the annotation away, and says
 * in an event what came of it. The returned function ends it.
 */
export function answerReconcileRequests(parts: ReconcileRequestParts): () => Promise<void> {
  const { client, clock, random, log, events, ownNode, reconcile } = parts;
  const answer = async (name: string): Promise<undefined> => {
    if (!isAsked(ownNode.get(name))) return undefined;
    const outcome = await reconcile().then(
      (found) => ({ reason: "SyncOpenAPISuccess", found }) as const,
      (error: unknown) => ({ reason: "SyncOpenAPIFailed", found: error instanceof Error ? error.message : String(error) }) as const,
    );
    const patch = { metadata: { annotations: { [reconcileAnnotation]: null } } };
    await mergePatch(client, { resource: nodes.resource, name }, patch, "terwayd").catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    });
    log.info({ found: outcome.found }, "reconciled as the annotation asked");
    events.emit(outcome.reason, { kind: "Node" }, `reconciled as annotation ${reconcileAnnotation} asked: ${outcome.found}`);
    return undefined;
  };
  const queue = new WorkQueue({
    ...{ clock, random, workers: 1, firstMs: 500, mostMs: 30_000 },
    work: answer,
    onFailure: (_, error, retryMs) => log.warn({ err: error, retryMs }, `annotation ${reconcileAnnotation} is not answered yet`),
  });
  const look = (object: NodeObject) => {
    if (isAsked(object)) queue.add(object.metadata.name);
  };
  for (const object of ownNode.values()) look(object);
  const ignore = ownNode.listen((event) => {
    if (event.type !== "deleted") look(event.object);
  });
  return async () => {
    ignore();
    await queue.stop();
  };
}

const isAsked = (object: NodeObject | undefined) => object?.metadata.annotations[reconcileAnnotation] === "true";
