import type { FabricGroup, FabricPort, PluggedEni } from "./fabric-port.ts";

/** What the pure core wants done to real interfaces, as data. */
export type FabricEffect =
  | { readonly type: "plug"; readonly eni: PluggedEni }
  | { readonly type: "unplug"; readonly eniId: string }
  | { readonly type: "assign" | "unassign"; readonly eniId: string; readonly addresses: readonly string[] }
  | { readonly type: "regroup"; readonly eniId: string; readonly securityGroupIds: readonly string[] }
  | { readonly type: "put-group"; readonly group: FabricGroup }
  | { readonly type: "remove-group"; readonly groupId: string };

export function perform(fabric: FabricPort, effect: FabricEffect): Promise<void> {
  switch (effect.type) {
    case "plug":
      return fabric.plug(effect.eni);
    case "unplug":
      return fabric.unplug(effect.eniId);
    case "assign":
      return fabric.assign(effect.eniId, [...effect.addresses]);
    case "unassign":
      return fabric.unassign(effect.eniId, [...effect.addresses]);
    case "regroup":
      return fabric.regroup(effect.eniId, [...effect.securityGroupIds]);
    case "put-group":
      return fabric.putGroup(effect.group);
    case "remove-group":
      return fabric.removeGroup(effect.groupId);
  }
}

/** Id of the ENI or group that the effect is about. Effects of one are carried out one after the other. */
export function effectSubject(effect: FabricEffect): string {
  switch (effect.type) {
    case "plug":
      return effect.eni.eniId;
    case "put-group":
      return effect.group.id;
    case "remove-group":
      return effect.groupId;
    default:
      return effect.eniId;
  }
}
