import { ApiError } from "@terway/kube";
import type { Eni, NetworkInterface, PodEni } from "@terway/model";
import type { Informers } from "../cluster/informers.ts";
import { networkInterfaces } from "../cluster/kinds.ts";
import { warmAnnotation } from "../cluster/marks.ts";
import type { NodeFacts } from "../cluster/node-facts.ts";
import { patch } from "../cluster/write.ts";
import type { WantedEni } from "../pod/intent.ts";
import type { ControllerParts } from "../runtime/parts.ts";
import type { VSwitches } from "../runtime/v-switches.ts";
import { fits, isWarm } from "./combination.ts";

type TakeParts = Pick<ControllerParts, "client"> & { readonly informers: Pick<Informers, "networkInterfaces"> };

/**
 * A warm member of the node for each wanted ENI that one will do for; undefined in the place of the others. Each is the pod's when its NetworkInterface says so:
 * what was taken before an interruption is found again by that, and of two who want one the API server lets one have it.
 */
export async function takeWarm(
  { client, informers }: TakeParts,
  podEni: PodEni,
  wanted: readonly WantedEni[],
  node: NodeFacts,
  vSwitches: Pick<VSwitches, "read">,
): Promise<readonly (Eni | undefined)[]> {
  const { namespace, name, uid } = podEni.metadata;
  const { objects } = informers.networkInterfaces;
  const isHere = ({ status }: NetworkInterface) => status?.phase === "Bind" && status.instanceID === node.instanceId;
  const isOwn = ({ metadata, spec }: NetworkInterface) =>
    metadata.annotations?.[warmAnnotation] !== undefined && spec?.podENIRef?.uid === uid;
  const left = new Set(objects.by("node", node.name).filter((one) => isHere(one) && (isWarm(one) || (isOwn(one) && !metadataGone(one)))));
  if (left.size === 0) return [];
  const known = await vSwitches.read([...left].flatMap(({ spec }) => spec?.eni?.vSwitchID ?? []));
  const dual = (id: string) => known.some((vSwitch) => vSwitch.id === id && vSwitch.ipv6Cidr !== undefined);
  const taken: (Eni | undefined)[] = [];
  for (const one of wanted) {
    const candidates = [...left].filter((candidate) => fits(candidate, one, dual)).toSorted((a, b) => Number(isOwn(b)) - Number(isOwn(a)));
    let got: Eni | undefined;
    for (const candidate of candidates) {
      left.delete(candidate);
      const claim = { spec: { podENIRef: { kind: "Pod", namespace, name, uid } } };
      const isTaken = isOwn(candidate) || (await patch(client, networkInterfaces.resource, candidate, claim).then(() => true, isConflict));
      if (!isTaken) continue;
      got = eniOf(candidate);
      break;
    }
    taken.push(got);
  }
  return taken;
}

const metadataGone = ({ metadata }: NetworkInterface) => metadata.deletionTimestamp !== undefined;

/** Somebody else was first, or it is gone: the next one. */
function isConflict(error: unknown): false {
  if (error instanceof ApiError && (error.status === 409 || error.status === 404)) return false;
  throw error;
}

function eniOf({ metadata: { name: id }, spec, status }: NetworkInterface): Eni {
  const { eni, ipv4 = "", ipv6 } = spec ?? {};
  const { mac = "", zone: zoneId = "", vSwitchID: vSwitchId = "", securityGroupIDs: securityGroupIds = [] } = eni ?? {};
  return {
    ...{ id, mac, zoneId, vSwitchId, securityGroupIds, status: "InUse", type: "Member", primaryIpv4: ipv4, ipv4: [ipv4], tags: {} },
    ipv6: ipv6 ? [ipv6] : [],
    ...(status?.instanceID ? { instanceId: status.instanceID } : {}),
  };
}
