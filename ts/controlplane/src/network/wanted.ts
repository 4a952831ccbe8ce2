import type { NamespaceObject, PodNetworking, PodObject } from "@terway/model";
import type { SelectionPolicy } from "../runtime/v-switches.ts";
import type { AllocationType, Read } from "./annotations.ts";

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
      /** A shared address will do when no ENI can be had. */
      readonly mayFallBack?: true;
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
  /** Pods that lose nothing by it may take shared addresses when limits are reached. */
  readonly fallback?: boolean;
}

/** What a source says; the defaults are filled in later. */
export type Own = Omit<Extract<NetworkChoice, { kind: "own" }>, "kind" | "source">;

export const ok = (value: Own): Read<Own> => ({ ok: true, value });
export const refuse = (field: string, message: string) => ({ ok: false, field, message }) as const;
/** An interface of which nothing is said. */
export const bare: WantedInterface = {
  ifName: "eth0",
  vSwitchIds: [],
  securityGroupIds: [],
  eniType: "Default",
  selection: "ordered",
  extraRoutes: [],
  allocation: {},
};

export type Annotations = Readonly<Record<string, string>>;
export const said = (annotations: Annotations, name: string) => annotations[name] !== undefined && annotations[name] !== "";

/** A pod that comes back under its name: without owner, of a StatefulSet, or of a kind that the configuration names. */
export function hasFixedName({ pod, statefulKinds }: Pick<ChoiceInput, "pod" | "statefulKinds">): boolean {
  const { ownerReferences } = pod.metadata;
  return ownerReferences.length === 0 || ownerReferences.some(({ kind }) => statefulKinds.includes(kind.toLowerCase()));
}
