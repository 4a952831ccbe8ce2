import { canonicalCidr, type NamespaceObject, type PodNetworking, type PodObject } from "@terway/model";
import { compileSelector, type LabelSelector } from "@terway/policy";
import type { SelectionPolicy } from "../runtime/v-switches.ts";
import {
  type AllocationType,
  allocationTypeSchema,
  annotation,
  plainAnnotations,
  podNetworksRequestSchema,
  podNetworksSchema,
  type Read,
  readAnnotation,
  readJsonAnnotation,
} from "./annotations.ts";

/** Where the network of a pod comes from, the strongest first. */
export type NetworkSource =
  | "pod-networks"
  | "pod-networks-request"
  | "pod annotations"
  | "PodNetworking"
  | "namespace annotations"
  | "eni-config";

/** One interface that a pod shall have, on an ENI of its own. */
export interface WantedInterface {
  readonly ifName: string;
  /** Any zone's; the pod's node decides. */
  readonly vSwitchIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly eniType: "Default" | "Trunk" | "ENI";
  readonly selection: SelectionPolicy;
  readonly resourceGroupId?: string;
  readonly trafficMode?: "Standard" | "HighPerformance";
  readonly defaultRoute?: boolean;
  /** Canonical CIDRs. */
  readonly extraRoutes: readonly string[];
  readonly allocation: AllocationType;
  /** This very address. */
  readonly primaryIpv4?: string;
}

export type NetworkChoice =
  /** An address of an ENI that pods of the node share. */
  | { readonly kind: "shared" }
  | {
      readonly kind: "own";
      readonly source: NetworkSource;
      readonly interfaces: readonly WantedInterface[];
      /** Zones in which its PodNetworkings have vSwitches; absent: wherever. */
      readonly zones?: readonly string[];
      /** The PodNetworking that it comes from. */
      readonly podNetworking?: string;
    }
  | { readonly kind: "refused"; readonly field: string; readonly message: string };

/** What of `eni-config` counts for ENIs of single pods. */
export interface NetworkDefaults {
  readonly vSwitchIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly selection: SelectionPolicy;
  readonly resourceGroupId?: string;
}

export interface ChoiceInput {
  readonly pod: Pick<PodObject, "metadata">;
  readonly namespace?: Pick<NamespaceObject, "metadata">;
  readonly podNetworkings: Iterable<PodNetworking>;
  readonly defaults: NetworkDefaults;
  /** Kinds of owners, in lower case, whose pods come back under their names. */
  readonly statefulKinds: readonly string[];
  /** Every pod has ENIs of its own: by the configuration, or because its node gives nothing else. */
  readonly ownEnisForAll: boolean;
}

type Own = Omit<Extract<NetworkChoice, { kind: "own" }>, "kind" | "source">;

/** Which network a pod gets. Pure; what contradicts itself is refused with the field's name. docs/reference/pod-network.md is its table. */
export function chooseNetwork(input: ChoiceInput): NetworkChoice {
  const { annotations } = input.pod.metadata;
  const conflict = contradiction(annotations);
  if (conflict !== undefined) return conflict;
  // Upstream's way for a pod to decline what its labels or its namespace would give it.
  if (annotations[annotation.podEni] === "false") return { kind: "shared" };
  for (const [source, read] of sources) {
    const found = read(input);
    if (found === undefined) continue;
    if (!found.ok) return { kind: "refused", field: found.field, message: found.message };
    return complete(source, found.value, input);
  }
  return { kind: "shared" };
}

const sources: readonly (readonly [NetworkSource, (input: ChoiceInput) => Read<Own> | undefined])[] = [
  ["pod-networks", ({ pod }) => ofPodNetworks(pod.metadata.annotations[annotation.podNetworks])],
  ["pod-networks-request", (input) => ofRequest(input)],
  ["pod annotations", ({ pod }) => ofPlain(pod.metadata.annotations)],
  ["PodNetworking", (input) => ofPodNetworking(input)],
  [
    "namespace annotations",
    ({ pod, namespace }) => (declines(pod.metadata.annotations) ? undefined : ofPlain(namespace?.metadata.annotations ?? {})),
  ],
  [
    "eni-config",
    ({ pod, ownEnisForAll }) => (ownEnisForAll || asksForOwn(pod.metadata.annotations) ? ok({ interfaces: [bare] }) : undefined),
  ],
];

/** Its namespace's wish does not count for this pod. */
const declines = (annotations: Annotations) => annotations[annotation.trunkOn] === "false";
const asksForOwn = (annotations: Annotations) => annotations[annotation.podEni] === "true" || said(annotations, annotation.podIp);

const ok = (value: Own): Read<Own> => ({ ok: true, value });
const refuse = (field: string, message: string) => ({ ok: false, field, message }) as const;
const bare: WantedInterface = {
  ifName: "eth0",
  vSwitchIds: [],
  securityGroupIds: [],
  eniType: "Default",
  selection: "ordered",
  extraRoutes: [],
  allocation: {},
};

type Annotations = Readonly<Record<string, string>>;
const said = (annotations: Annotations, name: string) => annotations[name] !== undefined && annotations[name] !== "";

/** Annotations that cannot be meant together. */
function contradiction(annotations: Annotations): NetworkChoice | undefined {
  const { podEni, podNetworks, podNetworksRequest, podNetworking, trunkOn, securityGroupId, vSwitchId, podIp, source } = annotation;
  const refused = (field: string, message: string) => ({ kind: "refused", field, message }) as const;
  // What the webhook has written is no second opinion of the user's.
  const whole = said(annotations, source) ? [] : [podNetworks, podNetworksRequest, podNetworking].filter((name) => said(annotations, name));
  const [first, second] = whole;
  if (first !== undefined && second !== undefined) return refused(second, `contradicts ${first}; keep one of them`);
  const plain = [trunkOn, securityGroupId, vSwitchId].filter((name) => said(annotations, name));
  if (first !== undefined && plain[0] !== undefined)
    return refused(plain[0], `contradicts ${first}, which says it for each network; keep one of them`);
  const own = [...whole, ...plain, podIp].find((name) => said(annotations, name));
  if (annotations[podEni] === "false" && own !== undefined) return refused(podEni, `is "false", but ${own} needs an ENI of the pod's own`);
  const needs = [securityGroupId, vSwitchId, podIp].find((name) => said(annotations, name));
  if (annotations[trunkOn] === "false" && needs !== undefined)
    return refused(trunkOn, `is "false", but ${needs} needs an ENI of the pod's own`);
  return undefined;
}

function ofPodNetworks(text: string | undefined): Read<Own> | undefined {
  if (text === undefined || text === "") return undefined;
  const read = readJsonAnnotation(annotation.podNetworks, text, podNetworksSchema);
  if (!read.ok) return read;
  const interfaces = read.value.podNetworks.map(
    (entry): WantedInterface => ({
      ifName: entry.interface || "eth0",
      vSwitchIds: entry.vSwitchOptions ?? [],
      securityGroupIds: entry.securityGroupIDs ?? [],
      eniType: entry.eniOptions?.eniType || "Default",
      selection: entry.vSwitchSelectOptions?.vSwitchSelectionPolicy || "ordered",
      ...(entry.resourceGroupID ? { resourceGroupId: entry.resourceGroupID } : {}),
      ...(entry.networkInterfaceTrafficMode ? { trafficMode: entry.networkInterfaceTrafficMode } : {}),
      ...(entry.defaultRoute === undefined ? {} : { defaultRoute: entry.defaultRoute }),
      extraRoutes: routes(entry.extraRoutes),
      allocation: entry.allocationType ?? {},
    }),
  );
  return ok({ interfaces });
}

const routes = (list: readonly { dst: string }[] | null | undefined) => (list ?? []).flatMap(({ dst }) => canonicalCidr(dst) ?? []);

function ofRequest({ pod, podNetworkings }: ChoiceInput): Read<Own> | undefined {
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

/** An address alone, `pod-ip`, is no network: it goes with whatever the weaker sources give. */
function ofPlain(annotations: Annotations): Read<Own> | undefined {
  const { trunkOn, securityGroupId, vSwitchId } = annotation;
  const value = <T>(name: keyof typeof plainAnnotations, schema: Parameters<typeof readAnnotation<T>>[2]): Read<T | undefined> =>
    said(annotations, name) ? readAnnotation(name, annotations[name], schema) : { ok: true, value: undefined };
  const trunk = value(trunkOn, plainAnnotations[trunkOn]);
  if (!trunk.ok) return trunk;
  const groups = value(securityGroupId, plainAnnotations[securityGroupId]);
  if (!groups.ok) return groups;
  const vSwitches = value(vSwitchId, plainAnnotations[vSwitchId]);
  if (!vSwitches.ok) return vSwitches;
  if (trunk.value === "false") return undefined;
  if (trunk.value === undefined && groups.value === undefined && vSwitches.value === undefined) return undefined;
  return ok({
    interfaces: [
      {
        ...bare,
        vSwitchIds: vSwitches.value ?? [],
        securityGroupIds: groups.value ?? [],
        eniType: trunk.value === "true" ? "Trunk" : "Default",
      },
    ],
  });
}

function ofPodNetworking(input: ChoiceInput): Read<Own> | undefined {
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
  const operators = ["In", "NotIn", "Exists", "DoesNotExist"];
  if (selector.matchExpressions?.some(({ operator }) => !operators.includes(operator))) return false;
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

/** A pod that comes back under its name: without owner, of a StatefulSet, or of a kind that the configuration names. */
export function hasFixedName({ pod, statefulKinds }: Pick<ChoiceInput, "pod" | "statefulKinds">): boolean {
  const { ownerReferences } = pod.metadata;
  return ownerReferences.length === 0 || ownerReferences.some(({ kind }) => statefulKinds.includes(kind.toLowerCase()));
}

/** Fills in what `eni-config` says, and checks what needs everything together. */
function complete(source: NetworkSource, own: Own, input: ChoiceInput): NetworkChoice {
  const { defaults, pod } = input;
  const refused = (field: string, message: string) => ({ kind: "refused", field, message }) as const;
  const where = source === "eni-config" ? "eni-config" : (fieldOf[source] ?? source);
  const interfaces = own.interfaces.map((one) => ({
    ...one,
    vSwitchIds: one.vSwitchIds.length > 0 ? one.vSwitchIds : defaults.vSwitchIds,
    selection: one.vSwitchIds.length > 0 ? one.selection : defaults.selection,
    securityGroupIds: one.securityGroupIds.length > 0 ? one.securityGroupIds : defaults.securityGroupIds,
    ...(one.resourceGroupId === undefined && defaults.resourceGroupId !== undefined ? { resourceGroupId: defaults.resourceGroupId } : {}),
  }));
  const names = interfaces.map(({ ifName }) => ifName);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0) return refused(`${where}[${twice}].interface`, `${names[twice]} is there already`);
  if (!names.includes("eth0")) return refused(`${where}[0].interface`, "no network is for eth0, which every pod has");
  const [, second] = interfaces.flatMap(({ defaultRoute }, index) => (defaultRoute === true ? [index] : []));
  if (second !== undefined) return refused(`${where}[${second}].defaultRoute`, "is the second default route");
  for (const [index, { vSwitchIds, securityGroupIds, allocation }] of interfaces.entries()) {
    if (vSwitchIds.length === 0) return refused(`${where}[${index}].vSwitchOptions`, "names no vSwitch, and eni-config has none either");
    if (securityGroupIds.length === 0)
      return refused(`${where}[${index}].securityGroupIDs`, "names no security group, and eni-config has none either");
    const checked = readAnnotation(`${where}[${index}].allocationType`, allocation, allocationTypeSchema);
    if (!checked.ok) return refused(checked.field, checked.message);
    if (allocation.type === "Fixed" && !hasFixedName(input))
      return refused(
        `${where}[${index}].allocationType.type`,
        `is Fixed, but a pod of ${pod.metadata.ownerReferences[0]?.kind ?? "its owner"} does not come back under its name`,
      );
  }
  const ip = pod.metadata.annotations[annotation.podIp];
  if (!ip) return { kind: "own", source, ...own, interfaces };
  const given = readAnnotation(annotation.podIp, ip, plainAnnotations[annotation.podIp]);
  if (!given.ok) return refused(given.field, given.message);
  return {
    kind: "own",
    source,
    ...own,
    interfaces: interfaces.map((one) => (one.ifName === "eth0" ? { ...one, primaryIpv4: given.value } : one)),
  };
}

/** How a fault in what a source says is named. */
const fieldOf: Partial<Record<NetworkSource, string>> = {
  "pod-networks": `${annotation.podNetworks}.podNetworks`,
  "pod-networks-request": annotation.podNetworksRequest,
};
