import type { PodNetworking } from "@terway/model";
import { compileSelector, type LabelSelector } from "@terway/policy";
import { annotation, podNetworksRequestSchema, type Read, readJsonAnnotation } from "./annotations.ts";
import { routes } from "./of-annotations.ts";
import { selectorOperators } from "./pod-networking-spec.ts";
import { type Annotations, bare, type ChoiceInput, hasFixedName, type Own, ok, refuse, type WantedInterface } from "./wanted.ts";

/** `k8s.aliyun.com/pod-networks-request`: PodNetworkings by their names. */
export function ofRequest({ pod, podNetworkings }: ChoiceInput): Read<Own> | undefined {
  const name = annotation.podNetworksRequest;
  const text = pod.metadata.annotations[name];
  if (text === undefined || text === "") return undefined;
  const read = readJsonAnnotation(name, text, podNetworksRequestSchema);
  if (!read.ok) return read;
  const known = [...podNetworkings];
  const interfaces: WantedInterface[] = [];
  let zones: readonly string[] | undefined;
  for (const [index, { network, interfaceName, defaultRoute, routes: more }] of read.value.entries()) {
    const field = `${name}[${index}].network`;
    const found = known.find(({ metadata }) => metadata.name === network);
    const problem = unusable(network, found);
    if (found === undefined || problem !== undefined) return refuse(field, problem ?? "");
    if (found.spec?.selector?.podSelector || found.spec?.selector?.namespaceSelector)
      return refuse(field, `PodNetworking ${network} has selectors; one that is asked for by name has none`);
    const wanted = { ...ofSpec(found), ifName: interfaceName || "eth0", extraRoutes: routes(more) };
    const [first] = interfaces;
    if (first !== undefined && first.eniType !== wanted.eniType)
      return refuse(
        field,
        `PodNetworking ${network} has eniType ${wanted.eniType}, but the first network ${first.eniType}; a pod's are all of one`,
      );
    const own = zonesOf(found);
    const common: readonly string[] = zones === undefined ? own : zones.filter((zone) => own.includes(zone));
    if (common.length === 0)
      return refuse(field, `PodNetworking ${network} has no vSwitch in a zone of the others (${(zones ?? []).join(", ")})`);
    zones = common;
    interfaces.push({ ...wanted, ...(defaultRoute === undefined ? {} : { defaultRoute }) });
  }
  return ok({ interfaces, ...(zones === undefined ? {} : { zones }) });
}

/** The one that the pod names, or the first whose selectors match. */
export function ofPodNetworking(input: ChoiceInput): Read<Own> | undefined {
  const { pod, namespace, podNetworkings } = input;
  const all = [...podNetworkings].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const named = pod.metadata.annotations[annotation.podNetworking];
  if (named) {
    const found = all.find(({ metadata }) => metadata.name === named);
    const problem = unusable(named, found);
    if (found === undefined || problem !== undefined) return refuse(annotation.podNetworking, problem ?? "");
    return ok({ interfaces: [ofSpec(found)], zones: zonesOf(found), podNetworking: named });
  }
  const fixedName = hasFixedName(input);
  const found = all.find(({ spec }) => {
    const { podSelector, namespaceSelector } = spec?.selector ?? {};
    if (podSelector === undefined && namespaceSelector === undefined) return false;
    if (spec?.allocationType?.type === "Fixed" && !fixedName) return false;
    return selects(podSelector, pod.metadata.labels) && selects(namespaceSelector, namespace?.metadata.labels ?? {});
  });
  if (found === undefined) return undefined;
  const problem = unusable(found.metadata.name, found);
  // A pod that starts without the network that is meant for it is worse than one that is made again a little later.
  if (problem !== undefined) return refuse("PodNetworking", problem);
  return ok({ interfaces: [ofSpec(found)], zones: zonesOf(found), podNetworking: found.metadata.name });
}

function unusable(name: string, found: PodNetworking | undefined): string | undefined {
  if (found === undefined) return `PodNetworking ${name} does not exist`;
  if (found.status?.status === "Ready") return undefined;
  return `PodNetworking ${name} is not Ready${found.status?.message ? `: ${found.status.message}` : " yet"}`;
}

/** `operator` is any text in the API; an unknown one selects nothing. */
function selects(
  selector:
    | {
        matchLabels?: Annotations | undefined;
        matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] | undefined }[] | undefined;
      }
    | undefined,
  labels: Annotations,
): boolean {
  if (selector === undefined) return true;
  if (selector.matchExpressions?.some(({ operator }) => !selectorOperators.includes(operator))) return false;
  // Checked above.
  return compileSelector(selector as LabelSelector).matches(labels);
}

function zonesOf({ status }: PodNetworking): string[] {
  return [...new Set((status?.vSwitches ?? []).flatMap(({ zone }) => zone ?? []))];
}

function ofSpec({ spec }: PodNetworking): WantedInterface {
  return {
    ...bare,
    vSwitchIds: spec?.vSwitchOptions ?? [],
    securityGroupIds: spec?.securityGroupIDs ?? [],
    eniType: spec?.eniOptions?.eniType ?? "Default",
    selection: spec?.vSwitchSelectOptions?.vSwitchSelectionPolicy ?? "ordered",
    allocation: spec?.allocationType ?? {},
  };
}
