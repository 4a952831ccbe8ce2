import type { Cloud, EniConf } from "@terway/model";

/**
 * What is wrong with vSwitches that a change brings in for this zone: one that does not exist, or is in another zone. Silent when the cloud cannot be asked:
 * the pool tells what it meets.
 */
export async function wrongVSwitches(
  cloud: Pick<Cloud, "describeVSwitches">,
  zoneId: string,
  now: EniConf,
  changed: EniConf,
  signal: AbortSignal,
): Promise<string[]> {
  const known = new Set(now.vSwitches[zoneId]);
  const added = (changed.vSwitches[zoneId] ?? []).filter((id) => !known.has(id));
  if (added.length === 0) return [];
  const found = await cloud.describeVSwitches(added, signal).catch(() => undefined);
  if (found === undefined) return [];
  return added.flatMap((id) => {
    const path = `eni_conf: vswitches.${zoneId}[${(changed.vSwitches[zoneId] ?? []).indexOf(id)}]`;
    const vSwitch = found.find((one) => one.id === id);
    if (vSwitch === undefined) return `${path}: vSwitch ${id} does not exist in this region.`;
    return vSwitch.zoneId === zoneId ? [] : `${path}: vSwitch ${id} is in zone ${vSwitch.zoneId}.`;
  });
}
