import { apply, type EventSubject, keyOf, mergePatch, type ObjectRef, read, type Stored } from "@terway/kube";
import { changesOf } from "../cluster/enqueue.ts";
import { networkInterfaces, podEnis, podNetworkings } from "../cluster/kinds.ts";
import { type Controller, keyedController } from "../runtime/controller.ts";
import { openEvents } from "../runtime/events.ts";
import type { ControllerParts } from "../runtime/parts.ts";

const name = "invalid-objects";
/** Deleting one brings no change of what is kept: it is asked for again. */
const lookMs = 30_000;

type Raw = { readonly metadata?: Raw; readonly spec?: Raw; readonly status?: Raw; readonly podENIRef?: Raw } & Readonly<
  Record<string, unknown>
>;

/**
 * Objects of our group that somebody edited into something that nobody can read: an event with the field on the object and on the pod or node that it is about,
 * and a word in its status where the kind has a place for one. Until it is mended an object is not used, and the others go on.
 */
export function openInvalidObjects(parts: ControllerParts): Controller {
  const { informers, client } = parts;
  const events = openEvents({ ...parts, controller: name });
  const kinds = new Map(
    [informers.podEnis, informers.networkInterfaces, informers.podNetworkings, informers.nodeResources, informers.nodeRuntimes].map(
      (informer) => [informer.resource.kind, informer] as const,
    ),
  );

  /** What was said of each object, by its key here. */
  const said = new Map<string, string>();

  async function reconcile(work: string): Promise<number | undefined> {
    const [kind = "", ...rest] = work.split("/");
    const informer = kinds.get(kind);
    const key = rest.join("/");
    if (informer === undefined || !(informer.unreadable.has(key) || said.has(work))) return undefined;
    const [objectName = "", namespace] = rest.toReversed();
    const ref: ObjectRef = { resource: informer.resource, name: objectName, ...(namespace === undefined ? {} : { namespace }) };
    // What it is now, not what it was when it was heard of.
    const raw = (await read(client, ref)) as Raw | undefined;
    const problem = informer.judge(key, raw);
    if (problem === undefined || raw === undefined) {
      if (raw !== undefined && raw.status?.msg !== undefined && raw.status.msg === said.get(work)) await mark(ref, raw, "");
      said.delete(work);
      return undefined;
    }
    said.set(work, problem);
    const message = `${kind} ${key} is not used until it is mended: ${problem}`;
    for (const subject of subjectsOf(ref, raw)) events.emit("ResourceInvalid", subject, message);
    await mark(ref, raw, problem);
    return lookMs;
  }

  /** Whom people look at: the object, and the pod or node that waits for it. */
  function subjectsOf({ resource, name: objectName, namespace }: ObjectRef, raw: Raw): EventSubject[] {
    const { apiVersion, kind } = resource;
    const uid = textOf(raw.metadata?.uid);
    const own = {
      apiVersion,
      kind,
      name: objectName,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    };
    if (kind === podEnis.resource.kind) return [own, ...podOf(namespace, objectName)];
    const pod = raw.spec?.podENIRef;
    if (kind === networkInterfaces.resource.kind) return [own, ...podOf(textOf(pod?.namespace), textOf(pod?.name))];
    const node = kind === podNetworkings.resource.kind ? undefined : informers.nodes.objects.get(objectName);
    return node === undefined ? [own] : [own, { apiVersion: "v1", kind: "Node", name: objectName, uid: node.metadata.uid }];
  }

  function podOf(namespace: string | undefined, podName: string | undefined): EventSubject[] {
    const pod = namespace && podName ? informers.pods.objects.get(`${namespace}/${podName}`) : undefined;
    if (pod === undefined) return [];
    return [{ apiVersion: "v1", kind: "Pod", namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid }];
  }

  async function mark(ref: ObjectRef, raw: Raw, problem: string): Promise<void> {
    const status: ObjectRef = { ...ref, subresource: "status" };
    if (ref.resource.kind === podEnis.resource.kind && raw.status?.msg !== problem)
      await mergePatch(client, status, { status: { msg: problem } }, fieldManager);
    if (ref.resource.kind === podNetworkings.resource.kind && raw.status?.message !== problem)
      await apply(client, status, { status: { status: "Fail", message: problem } }, { fieldManager: podNetworkingOwner, force: true });
  }

  return keyedController({
    ...{ ...parts, name, workers: 1, reconcile },
    sources: [...kinds].map(([kind, informer]) => (enqueue) => {
      const ends = [
        informer.onUnreadable((key) => enqueue(`${kind}/${key}`)),
        changesOf<Stored>(informer.objects, (object) => [`${kind}/${keyOf(object)}`])((work) => said.has(work) && enqueue(work)),
      ];
      return () => {
        for (const end of ends) end();
      };
    }),
  });
}

const fieldManager = "terway-controlplane";
/** Whose word on its status is the next one when it is mended. */
const podNetworkingOwner = "terway-controlplane/pod-networking";

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
