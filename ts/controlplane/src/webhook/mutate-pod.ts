import { CloudError, type PodObject, podObjectSchema } from "@terway/model";
import { ignoreLabel } from "../cluster/marks.ts";
import { annotation } from "../network/annotations.ts";
import { chooseNetwork } from "../network/choice.ts";
import { eniConfOf, networkDefaults } from "../network/defaults.ts";
import { hasFixedName, type NetworkChoice } from "../network/wanted.ts";
import { contains } from "../pod/plan-enis.ts";
import { patchedPodSchema, podPatch } from "./pod-patch.ts";
import { type AdmissionRequest, denied, type Verdict } from "./review.ts";
import type { WebhookParts } from "./webhook-parts.ts";

type Own = Extract<NetworkChoice, { kind: "own" }>;

/** Gives a pod the network that it is meant to have, or says which field keeps it from one. */
export async function mutatePod(parts: WebhookParts, request: AdmissionRequest): Promise<Verdict> {
  const { config, informers } = parts;
  const pod = readPod(request);
  const patched = patchedPodSchema.parse(request.object);
  if (pod.spec?.hostNetwork === true || patched.spec.containers.length === 0 || pod.metadata.labels[ignoreLabel] === "true")
    return { kind: "allowed" };
  const namespace = informers.namespaces.objects.get(pod.metadata.namespace);
  const choice = chooseNetwork({
    pod,
    ...(namespace === undefined ? {} : { namespace }),
    podNetworkings: informers.podNetworkings.objects.values(),
    defaults: networkDefaults(eniConfOf(informers.configMaps.objects, undefined)),
    statefulKinds: config.statefulKinds,
    ownEnisForAll: config.ownEnisForAll,
    fallback: config.fallbackToShared,
  });
  if (choice.kind === "shared") return { kind: "allowed" };
  if (choice.kind === "refused") return denied(choice.field, choice.message);
  const { problem, warnings } = await askCloud(parts, pod, choice);
  if (problem !== undefined) return problem;
  const zones = zonesOf(parts, pod, choice);
  if (zones?.length === 0) return denied(annotation.podNetworks, "its fixed ENI is in a zone in which its network has no vSwitch");
  const patch = podPatch(patched, {
    choice,
    trunk: config.trunk,
    // A pod that can do without must not wait for a node with an ENI left.
    injectResources: config.injectResources && choice.mayFallBack !== true,
    ...(zones === undefined ? {} : { zones }),
  });
  return { kind: "allowed", patch, ...(warnings.length === 0 ? {} : { warnings }) };
}

/** A pod that is being created may have no name yet, and its namespace stands in the request. */
function readPod({ object, namespace = "" }: AdmissionRequest): PodObject {
  const raw = object as { readonly metadata?: { readonly name?: string; readonly generateName?: string } };
  const name = raw.metadata?.name || `${raw.metadata?.generateName ?? "pod-"}…`;
  return podObjectSchema.parse({ ...raw, metadata: { ...raw.metadata, name, namespace } });
}

/** What only the cloud and other pods know: unknown vSwitches, and an address that is no one's to give. When the cloud is away this is found out later. */
async function askCloud(parts: WebhookParts, pod: PodObject, choice: Own): Promise<{ problem?: Verdict; warnings: string[] }> {
  const ip = choice.interfaces.find(({ primaryIpv4 }) => primaryIpv4 !== undefined);
  const { namespace, name } = pod.metadata;
  if (ip?.primaryIpv4 !== undefined) {
    const holder = parts.informers.podEnis.objects
      .by("ipv4", ip.primaryIpv4)
      .find(({ metadata }) => metadata.namespace !== namespace || metadata.name !== name);
    if (holder !== undefined) {
      const { metadata } = holder;
      return { problem: denied(annotation.podIp, `${ip.primaryIpv4} belongs to pod ${metadata.namespace}/${metadata.name}`), warnings: [] };
    }
  }
  try {
    const ids = [...new Set(choice.interfaces.flatMap(({ vSwitchIds }) => vSwitchIds))];
    const found = await Promise.race([
      parts.vSwitches.read(ids),
      parts.clock.sleep(cloudMs).then(() => {
        throw new Error(`the cloud did not answer in ${cloudMs} ms`);
      }),
    ]);
    const unknown = ids.find((id) => !found.some((one) => one.id === id));
    if (unknown !== undefined) {
      const field = choice.source === "pod annotations" || choice.source === "namespace annotations" ? annotation.vSwitchId : choice.source;
      return { problem: denied(field, `vSwitch ${unknown} does not exist`), warnings: [] };
    }
    if (ip?.primaryIpv4 === undefined) return { warnings: [] };
    const { primaryIpv4, vSwitchIds } = ip;
    const cidrs = found.filter(({ id }) => vSwitchIds.includes(id)).map(({ cidr }) => cidr);
    if (cidrs.some((cidr) => contains(cidr, primaryIpv4))) return { warnings: [] };
    return { problem: denied(annotation.podIp, `${primaryIpv4} is in none of the pod's vSwitches (${cidrs.join(", ")})`), warnings: [] };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = error instanceof CloudError ? error.code : error.message;
    return { warnings: [`the pod's vSwitches could not be looked up (${code}); what is wrong with them is told by events`] };
  }
}

/** A webhook has ten seconds in all. */
const cloudMs = 3_000;

/** Zones in which the pod can run: those of its PodNetworkings, and that of the ENI which waits for it. */
function zonesOf({ informers, config }: WebhookParts, pod: PodObject, { zones }: Own): readonly string[] | undefined {
  // The scheduler does not place them; their controller does, on every node.
  if (pod.metadata.ownerReferences.some(({ kind }) => kind === "DaemonSet")) return undefined;
  const { namespace, name } = pod.metadata;
  const kept = hasFixedName({ pod, statefulKinds: config.statefulKinds })
    ? informers.podEnis.objects.get(`${namespace}/${name}`)
    : undefined;
  const fixed =
    kept?.spec.allocations?.some(({ allocationType }) => allocationType?.type === "Fixed") === true ? kept.spec.zone : undefined;
  if (!fixed) return zones;
  return zones === undefined || zones.includes(fixed) ? [fixed] : [];
}
