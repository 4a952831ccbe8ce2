import { CloudError, type Eni, type EventReason, type NetworkInterface } from "@terway/model";
import { changesOf } from "../cluster/enqueue.ts";
import { networkInterfaces } from "../cluster/kinds.ts";
import { eniFinalizer, limitAnnotation, lostAnnotation, whyForeign } from "../cluster/marks.ts";
import { patch, patchStatus, releaseFinalizers } from "../cluster/write.ts";
import { type Controller, keyedController } from "../runtime/controller.ts";
import { openEvents } from "../runtime/events.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import { EniReader } from "./eni-reader.ts";
import { type EniStep, nextStep, type Place } from "./next-step.ts";

const name = "eni";
/** First look after a call, growing to the last: attaching takes from one second to some ten. */
const pollMs = { first: 300, factor: 1.5, most: 5_000 };

/** Brings each ENI to where its NetworkInterface says that it shall be. Nothing waits here: each look does one step and comes back. */
export function openEniController(parts: ControllerParts): Controller {
  const { informers, client, cloud, clock, config } = parts;
  const { objects } = informers.networkInterfaces;
  const events = openEvents({ ...parts, controller: name });
  const reader = new EniReader(cloud, clock);
  const polls = new Map<string, number>();

  /** The pod is what people look at; its uid is what `kubectl describe` finds events by. */
  function subjectOf({ metadata, spec }: NetworkInterface) {
    const { namespace, name: podName } = spec?.podENIRef ?? {};
    if (!namespace || !podName)
      return { apiVersion: networkInterfaces.resource.apiVersion, kind: "NetworkInterface", name: metadata.name, uid: metadata.uid };
    const uid = informers.pods.objects.get(`${namespace}/${podName}`)?.metadata.uid;
    return { apiVersion: "v1", kind: "Pod", namespace, name: podName, ...(uid === undefined ? {} : { uid }) };
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const one = objects.get(key);
    if (one === undefined) {
      polls.delete(key);
      return undefined;
    }
    if (one.spec?.managePolicy?.unManaged === true) return undefined;
    const phase = one.status?.phase ?? "";
    const goes = one.metadata.deletionTimestamp !== undefined;
    const wanted =
      goes || phase === "Deleting"
        ? ({ kind: "deleted" } as const)
        : phase === "Detaching"
          ? ({ kind: "detached" } as const)
          : attachedAt(one);
    if (wanted === undefined) return undefined;
    const eni = await reader.read(key);
    const foreign = eni && whyForeign(eni, config.clusterId);
    if (foreign !== undefined) return leaveAlone(one, wanted.kind, foreign);
    const step = nextStep(wanted, eni);
    try {
      await take(step, key, eni, one, signal);
    } catch (error) {
      const reason = failedReason[step];
      if (error instanceof CloudError && reason !== undefined) events.emit(reason, subjectOf(one), error.message);
      if (error instanceof CloudError && error.class === "quota" && step === "attach") await note(one, limitAnnotation, error.message);
      throw error;
    }
    if (step !== "done" && step !== "lost") return pause(key);
    polls.delete(key);
    await finish(step, wanted.kind, one, eni);
    return undefined;
  }

  /** Somebody's hand has named an ENI that is not a pod's: taking it from where it is would cut off others. */
  async function leaveAlone(one: NetworkInterface, wanted: "attached" | "detached" | "deleted", why: string): Promise<undefined> {
    const id = one.metadata.name;
    if (wanted === "deleted" && one.metadata.deletionTimestamp !== undefined)
      return releaseFinalizers(client, networkInterfaces.resource, one, [eniFinalizer]).then(() => undefined);
    events.emit("ResourceInvalid", subjectOf(one), `ENI ${id} is left as it is: ${why}`);
    throw new Error(`ENI ${id} is left as it is: ${why}`);
  }

  /** What keeps it from its node; controller `pod` may know a way without. */
  async function note(one: NetworkInterface, annotation: string, text: string | null): Promise<void> {
    const before = one.metadata.annotations?.[annotation];
    // Each refusal has a text of its own, and a change of it would bring the next look at once.
    if ((before === undefined) === (text === null)) return;
    await patch(client, networkInterfaces.resource, one, { metadata: { annotations: { [annotation]: text } } });
  }

  function pause(key: string): number {
    const ms = polls.get(key) ?? pollMs.first;
    polls.set(key, Math.min(pollMs.most, ms * pollMs.factor));
    return ms;
  }

  async function take(step: EniStep, id: string, eni: Eni | undefined, one: NetworkInterface, signal: AbortSignal): Promise<void> {
    const { instanceID = "", trunkENIID } = one.status ?? {};
    switch (step) {
      case "attach":
        if (trunkENIID) await cloud.attachMember(id, instanceID, trunkENIID, signal);
        else await cloud.attachEni(id, instanceID, signal);
        return;
      case "detach": {
        const at = eni?.instanceId ?? instanceID;
        if (eni?.trunkId !== undefined) await cloud.detachMember(id, at, eni.trunkId, signal);
        else await cloud.detachEni(id, at, signal);
        return;
      }
      case "delete":
        await cloud.deleteEni(id, signal);
        return;
      default:
        return;
    }
  }

  async function finish(
    step: "done" | "lost",
    kind: "attached" | "detached" | "deleted",
    one: NetworkInterface,
    eni: Eni | undefined,
  ): Promise<void> {
    const id = one.metadata.name;
    if (step === "lost") {
      events.emit(
        "AttachENIFailed",
        subjectOf(one),
        `ENI ${id} does not exist at the cloud any more; another one is made, unless its address was fixed: then delete the PodENI`,
      );
      return note(one, lostAnnotation, "it does not exist at the cloud any more");
    }
    if (kind === "deleted") {
      await releaseFinalizers(client, networkInterfaces.resource, one, [eniFinalizer]);
      if (one.metadata.deletionTimestamp === undefined) return;
      events.emit("DeleteENISucceed", subjectOf(one), `ENI ${id} is deleted`);
      return;
    }
    if (kind === "detached") {
      const unbound = {
        phase: "Unbind",
        instanceID: "",
        trunkENIID: "",
        nodeName: "",
        eniInfo: { id, type: "Secondary", vid: null, status: "Unbind" },
      };
      await patchStatus(client, networkInterfaces.resource, one, unbound);
      events.emit("DetachENISucceed", subjectOf(one), `ENI ${id} is detached`);
      return;
    }
    const { type = "Secondary", vlanId, instanceId } = eni ?? {};
    const eniInfo = { id, type, status: "Bind", vid: vlanId ?? null };
    if (one.metadata.annotations?.[limitAnnotation] !== undefined) return note(one, limitAnnotation, null);
    await patchStatus(client, networkInterfaces.resource, one, { phase: "Bind", eniInfo });
    const where = vlanId === undefined ? "" : ` as a member of ${eni?.trunkId} with VLAN id ${vlanId}`;
    events.emit("AttachENISucceed", subjectOf(one), `ENI ${id} is attached to ${instanceId}${where}`);
  }

  return keyedController({ ...parts, name, workers: config.workers.eni, reconcile, sources: [changesOf(objects)] });
}

const failedReason: Partial<Record<EniStep, EventReason>> = {
  attach: "AttachENIFailed",
  detach: "DetachENIFailed",
  delete: "DeleteENIFailed",
};

function attachedAt({ status }: NetworkInterface): { readonly kind: "attached"; readonly at: Place } | undefined {
  const { phase, instanceID, trunkENIID } = status ?? {};
  if (phase !== "Binding" || !instanceID) return undefined;
  return { kind: "attached", at: { instanceId: instanceID, ...(trunkENIID ? { trunkId: trunkENIID } : {}) } };
}
