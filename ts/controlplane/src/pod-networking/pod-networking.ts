import { apply } from "@terway/kube";
import type { PodNetworking } from "@terway/model";
import { changesOf } from "../cluster/enqueue.ts";
import { podNetworkings } from "../cluster/kinds.ts";
import { wrongField } from "../network/pod-networking-spec.ts";
import { type Controller, keyedController } from "../runtime/controller.ts";
import { openEvents } from "../runtime/events.ts";
import type { ControllerParts } from "../runtime/parts.ts";

const name = "pod-networking";
/** A vSwitch that does not exist may be made; one of another VPC will not move. */
const retryMs = 30_000;

/** Says of each PodNetworking whether its vSwitches exist, and in which zones. Pods take only those that are Ready. */
export function openPodNetworkingController(parts: ControllerParts): Controller {
  const { informers, client, clock, vSwitches, config } = parts;
  const { objects } = informers.podNetworkings;
  const events = openEvents({ ...parts, controller: name });

  async function reconcile(key: string): Promise<number | undefined> {
    const podNetworking = objects.get(key);
    if (podNetworking === undefined || podNetworking.metadata.deletionTimestamp !== undefined) return undefined;
    // Admission refuses it; somebody may have switched that off.
    const wrong = wrongField(podNetworking.spec);
    if (wrong === undefined && isSettled(podNetworking)) return undefined;
    const wanted = podNetworking.spec?.vSwitchOptions ?? [];
    const found = await vSwitches.read(wanted);
    const problem = wrong === undefined ? problemOf(wanted, found, config.vpcId) : `${wrong.field}: ${wrong.message}`;
    const listed = found.map(({ id, zoneId }) => ({ id, zone: zoneId }));
    const unchanged = podNetworking.status?.status === "Fail" && podNetworking.status.message === problem;
    if (problem !== undefined && unchanged) return retryMs;
    const status = {
      status: problem === undefined ? "Ready" : "Fail",
      vSwitches: listed,
      updateAt: new Date(clock.wallMs()).toISOString().replace(/\.\d+Z$/, "Z"),
      message: problem ?? "",
    };
    await apply(
      client,
      { resource: podNetworkings.resource, name: key, subresource: "status" },
      { status },
      { fieldManager: owner, force: true },
    );
    const subject = { apiVersion: podNetworkings.resource.apiVersion, kind: "PodNetworking", name: key, uid: podNetworking.metadata.uid };
    if (problem === undefined) events.emit("SyncPodNetworkingSucceed", subject, `vSwitches ${wanted.join(", ")} are known`);
    else events.emit("SyncPodNetworkingFailed", subject, problem);
    return problem === undefined ? undefined : retryMs;
  }

  return keyedController({ ...parts, name, workers: 1, reconcile, sources: [changesOf(objects)] });
}

const owner = "terway-controlplane/pod-networking";

function isSettled({ spec, status }: PodNetworking): boolean {
  const wanted = spec?.vSwitchOptions ?? [];
  const known = (status?.vSwitches ?? []).map(({ id }) => id);
  return status?.status === "Ready" && wanted.length > 0 && wanted.length === known.length && wanted.every((id) => known.includes(id));
}

function problemOf(wanted: readonly string[], found: readonly { id: string; vpcId: string }[], vpcId: string): string | undefined {
  if (wanted.length === 0) return "spec.vSwitchOptions names no vSwitch";
  for (const [index, id] of wanted.entries()) {
    const vSwitch = found.find((one) => one.id === id);
    if (vSwitch === undefined) return `spec.vSwitchOptions[${index}]: vSwitch ${id} does not exist`;
    if (vSwitch.vpcId !== vpcId)
      return `spec.vSwitchOptions[${index}]: vSwitch ${id} is of VPC ${vSwitch.vpcId}, not of the cluster's ${vpcId}`;
  }
  return undefined;
}
